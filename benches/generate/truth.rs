//! What the capture holds, counted while it is made, and written as one JSON object.
//!
//! A reader's counts are compared with these, so nothing here comes from reading the file back.

use crate::conversation::Role;
use crate::frame::Opcode;

/// Frames of one direction, by opcode.
#[derive(Default)]
struct Frames {
    text: u64,
    binary: u64,
    continuation: u64,
    ping: u64,
    pong: u64,
    close: u64,
    messages: u64,
    payload_bytes: u64,
}

/// All counts of one capture.
#[derive(Default)]
pub(crate) struct Truth {
    /// Connections whose three-way handshake was completed.
    pub(crate) connections: u64,
    /// SYNs that nobody answered, each from an address of its own.
    pub(crate) half_open: u64,
    /// Upgrade attempts that got a valid 101.
    pub(crate) established: u64,
    /// WebSocket connections whose handshake came before the capture.
    pub(crate) midstream: u64,
    /// Upgrade attempts that got another status.
    pub(crate) refused: u64,
    /// Segments with payload, first copies only.
    pub(crate) data_segments: u64,
    /// Segments sent again whole, with bytes that the capture holds already.
    pub(crate) retransmitted: u64,
    /// Segments that come after a later one of their half and fill the hole before it.
    pub(crate) out_of_order: u64,
    /// Payload of segments that were sent and acknowledged, and that the capture lacks.
    pub(crate) missing_bytes: u64,
    /// Payload of text and binary messages as the applications know it: decompressed.
    message_bytes: u64,
    client: Frames,
    server: Frames,
}

impl Truth {
    /// Counts one frame; `fin` on a data frame completes a message.
    pub(crate) fn frame(&mut self, by: Role, opcode: Opcode, fin: bool, payload_bytes: u64) {
        let frames = match by {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        *match opcode {
            Opcode::Continuation => &mut frames.continuation,
            Opcode::Text => &mut frames.text,
            Opcode::Binary => &mut frames.binary,
            Opcode::Close => &mut frames.close,
            Opcode::Ping => &mut frames.ping,
            Opcode::Pong => &mut frames.pong,
        } += 1;
        let data = matches!(opcode, Opcode::Text | Opcode::Binary | Opcode::Continuation);
        frames.messages += u64::from(data && fin);
        frames.payload_bytes += payload_bytes;
        if data {
            self.message_bytes += payload_bytes;
        }
    }

    /// Counts that payload was `plain_bytes` before compression made it the `sent_bytes` of a frame.
    pub(crate) fn compressed(&mut self, plain_bytes: u64, sent_bytes: u64) {
        self.message_bytes = (self.message_bytes + plain_bytes).saturating_sub(sent_bytes);
    }

    /// The counts as one JSON object, a line.
    pub(crate) fn json(&self, profile: &str, seed: u64, packets: u64, bytes: u64) -> String {
        let Self {
            connections,
            half_open,
            established,
            midstream,
            refused,
            data_segments,
            retransmitted,
            out_of_order,
            missing_bytes,
            message_bytes,
            client,
            server,
        } = self;
        format!(
            concat!(
                r#"{{"profile":"{}","seed":{},"packets":{},"bytes":{},"connections":{},"half_open":{},"#,
                r#""attempts":{{"total":{},"established":{},"invalid":0,"refused":{},"unanswered":0,"#,
                r#""midstream":{},"unknown":0}},"frames":{{"client":{},"server":{}}},"#,
                r#""messages":{{"client":{},"server":{}}},"#,
                r#""frame_payload_bytes":{{"client":{},"server":{}}},"#,
                r#""data_segments":{},"retransmitted":{},"out_of_order":{},"missing_bytes":{},"message_bytes":{}}}"#,
                "\n"
            ),
            profile,
            seed,
            packets,
            bytes,
            connections,
            half_open,
            established + refused + midstream,
            established,
            refused,
            midstream,
            client.json(),
            server.json(),
            client.messages,
            server.messages,
            client.payload_bytes,
            server.payload_bytes,
            data_segments,
            retransmitted,
            out_of_order,
            missing_bytes,
            message_bytes,
        )
    }
}

impl Frames {
    fn json(&self) -> String {
        format!(
            r#"{{"text":{},"binary":{},"continuation":{},"ping":{},"pong":{},"close":{}}}"#,
            self.text, self.binary, self.continuation, self.ping, self.pong, self.close,
        )
    }
}
