//! No bytes make the reader of histories panic. The first byte says whether what follows is a file, or lines that are put
//! into frames first, so that the fuzzer gets past the checksums.

#![no_main]

use coalmine_core::history::{Reader, Writer};
use libfuzzer_sys::fuzz_target;

fn framed(lines: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).expect("memory takes all");
    for part in lines.split(|byte| *byte == 0) {
        writer.write_frame(part).expect("memory takes all");
    }
    writer.into_inner()
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, data)) = input.split_first() else { return };
    let file = if kind % 2 == 0 { framed(data) } else { data.to_vec() };
    let mut reader = Reader::new(&file[..]);
    let records = reader.by_ref().take(10_000).filter(Result::is_ok).count();
    assert!(records == 0 || !file.is_empty());
});
