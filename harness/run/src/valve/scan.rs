//! How far a request has gone out and an answer has come in, read off the bytes.

use super::{ReadStop, Unit, WriteStop};

/// A head longer than this is not looked at for its end.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A request on its way out.
#[derive(Default)]
pub(super) struct RequestScan {
    head: Vec<u8>,
    head_bytes: Option<u64>,
    total: Option<u64>,
    written: u64,
}

impl RequestScan {
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn is_whole(&self) -> bool {
        self.total.is_some_and(|total| self.written >= total)
    }

    /// Learns from bytes that are about to be written where the request ends.
    pub(super) fn look_ahead(&mut self, offered: &[u8], unit: Unit) {
        if self.total.is_some() {
            return;
        }
        if unit == Unit::Write {
            self.head_bytes = Some(0);
            self.total = Some(offered.len() as u64);
            return;
        }
        let seen = self.head.len();
        self.head.extend_from_slice(offered);
        if let Some(end) = end_of_head(&self.head) {
            self.head_bytes = Some(end as u64);
            self.total = Some(end as u64 + content_length(&self.head[..end]));
            self.head = vec![];
        } else {
            // What is not written yet is offered again.
            self.head.truncate(seen);
        }
    }

    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        if self.total.is_none() && self.head.len() < HEAD_BYTES_MAX {
            self.head.extend_from_slice(bytes);
        }
    }

    /// How many bytes go out before the stop; none as long as that is not known.
    pub(super) fn stop(&self, at: WriteStop) -> Option<u64> {
        let (head, total) = (self.head_bytes, self.total);
        match at {
            WriteStop::None => None,
            WriteStop::Nothing => Some(0),
            WriteStop::Head => head,
            WriteStop::HalfBody => head.zip(total).map(|(head, total)| head + (total - head) / 2),
            WriteStop::LastByte => total.map(|total| total.saturating_sub(1)),
        }
    }
}

/// An answer on its way in.
#[derive(Default)]
pub(super) struct AnswerScan {
    line_ended: bool,
    /// How much of the empty line after the head was seen.
    ending: usize,
    body_bytes: u64,
}

const HEAD_END: &[u8] = b"\r\n\r\n";

impl AnswerScan {
    /// How many more bytes may be read without going past the stop; none where there is no stop.
    pub(super) fn room(&self, stop: ReadStop) -> Option<usize> {
        match stop {
            ReadStop::None => None,
            ReadStop::StatusLine => Some(usize::from(!self.line_ended)),
            ReadStop::Body(_) if !self.head_ended() => Some(1),
            ReadStop::Body(bytes) => Some(usize::try_from(bytes.saturating_sub(self.body_bytes)).unwrap_or(usize::MAX)),
        }
    }

    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.head_ended() {
                self.body_bytes += 1;
                continue;
            }
            self.line_ended |= *byte == b'\n';
            self.ending = match (HEAD_END[self.ending] == *byte, *byte) {
                (true, _) => self.ending + 1,
                (false, b'\r') => 1,
                _ => 0,
            };
        }
    }

    fn head_ended(&self) -> bool {
        self.ending == HEAD_END.len()
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END).map(|at| at + HEAD_END.len())
}

/// The length of the body; our own requests are never chunked.
fn content_length(head: &[u8]) -> u64 {
    let fields = head.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let mut lengths =
        fields.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.find_map(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_request_follows_from_its_head_however_it_is_cut() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
        for cut in 0..request.len() {
            let mut scan = RequestScan::default();
            for part in [&request[..cut], &request[cut..]] {
                scan.look_ahead(part, Unit::Request);
                scan.wrote(part);
            }
            assert!(scan.is_whole(), "cut at {cut}");
            assert_eq!(scan.stop(WriteStop::LastByte), Some(request.len() as u64 - 1));
            assert_eq!(scan.stop(WriteStop::Head), Some(request.len() as u64 - 5));
        }
    }

    #[test]
    fn an_answer_has_room_up_to_its_stop() {
        let answer = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody";
        let mut read = 0;
        let mut scan = AnswerScan::default();
        while let Some(room @ 1..) = scan.room(ReadStop::Body(2)) {
            scan.read(&answer[read..read + room]);
            read += room;
        }
        assert_eq!(&answer[read..], b"dy");
    }
}
