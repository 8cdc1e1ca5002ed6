/* The reference: reads a capture with libpcap and does nothing but count packets and bytes.
 *
 *     cc -O2 -o pcap_loop pcap_loop.c -lpcap && ./pcap_loop FILE
 */
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char reason[PCAP_ERRBUF_SIZE] = "";
    struct pcap_pkthdr *header;
    const u_char *data;
    uint64_t packets = 0;
    uint64_t bytes = 0;
    int status;

    if (argc != 2) {
        fprintf(stderr, "usage: pcap_loop FILE\n");
        return 2;
    }
    pcap_t *capture = pcap_open_offline(argv[1], reason);
    if (capture == NULL) {
        fprintf(stderr, "pcap_loop: %s\n", reason);
        return 2;
    }
    while ((status = pcap_next_ex(capture, &header, &data)) == 1) {
        packets++;
        bytes += header->len;
    }
    if (status == PCAP_ERROR) {
        fprintf(stderr, "pcap_loop: %s: %s\n", argv[1], pcap_geterr(capture));
    }
    pcap_close(capture);
    printf("%" PRIu64 " packets, %" PRIu64 " bytes\n", packets, bytes);
    return status == PCAP_ERROR ? 2 : 0;
}
