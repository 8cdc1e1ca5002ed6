//! Any bytes as a capture: read to the end, with packets that lie in their blocks and are numbered in order.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wsinspect::capture::{Block, CaptureFile, Source};
use wsinspect::limits;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = CaptureFile::from_reader("fuzz", Box::new(Cursor::new(bytes.to_vec()))) else {
        return;
    };
    let (mut block, mut packets, mut damage) = (Block::default(), 0, 0);
    while file.next_block(&mut block).expect("a cursor can be read") {
        assert_eq!(block.first.0, packets + 1);
        for packet in &block.packets {
            assert!(packet.range().end <= block.bytes.len());
            assert!(packet.captured as usize <= limits::RECORD_BYTES);
            assert!(packet.captured <= packet.original);
            assert_eq!(block.captured(packet).len(), packet.captured as usize);
        }
        packets += block.packets.len() as u64;
        damage += file.take_damage().len();
    }
    damage += file.take_damage().len();
    assert!(damage <= limits::DAMAGES + 1);
});
