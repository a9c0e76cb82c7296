//! How far a request has gone out and an answer has come in, read off the bytes.

use super::frames::{self, Frame, Frames, Kind, Rest, Seen};
use super::{ReadStop, Unit, WriteStop};

/// A head longer than this is not looked at for its end.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A request on its way out.
#[derive(Default)]
pub(super) struct RequestScan {
    head: Vec<u8>,
    begins: Option<u64>,
    head_bytes: Option<u64>,
    half_bytes: Option<u64>,
    total: Option<u64>,
    written: u64,
    /// Where in the frames of HTTP/2 the connection is, and which stream is the request's.
    frames: Option<Frames>,
    stream: Option<u32>,
    is_last: bool,
}

impl RequestScan {
    /// For a connection on which HTTP/2 is about to be spoken.
    pub(super) fn framed() -> Self {
        Self { frames: Some(Frames::of_client()), ..Self::default() }
    }

    /// For the next request on the same connection.
    pub(super) fn next(&self) -> Self {
        Self { frames: self.frames, ..Self::default() }
    }

    /// The stream of HTTP/2 on which it goes, once that is known.
    pub(super) fn stream(&self) -> Option<u32> {
        self.stream
    }

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
        if let Some(mut ahead) = self.frames {
            let written = self.written;
            ahead.read(offered, |seen| {
                if let Seen::Head(frame, payload) = seen {
                    self.learn(frame, written + payload);
                }
            });
            return;
        }
        self.begins = Some(0);
        if unit == Unit::Write {
            self.head_bytes = Some(0);
            self.half_bytes = Some(offered.len() as u64 / 2);
            self.total = Some(offered.len() as u64);
            return;
        }
        let seen = self.head.len();
        self.head.extend_from_slice(offered);
        if let Some(end) = end_of_head(&self.head) {
            let body = content_length(&self.head[..end]);
            self.head_bytes = Some(end as u64);
            self.half_bytes = Some(end as u64 + body / 2);
            self.total = Some(end as u64 + body);
            self.head = vec![];
        } else {
            // What is not written yet is offered again.
            self.head.truncate(seen);
        }
    }

    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        if let Some(frames) = &mut self.frames {
            frames.read(bytes, |_| {});
        } else if self.total.is_none() && self.head.len() < HEAD_BYTES_MAX {
            self.head.extend_from_slice(bytes);
        }
    }

    /// How many bytes go out before the stop; none as long as that is not known.
    pub(super) fn stop(&self, at: WriteStop) -> Option<u64> {
        match at {
            WriteStop::None => None,
            WriteStop::Nothing => self.begins,
            WriteStop::Head => self.head_bytes,
            WriteStop::HalfBody => self.half_bytes,
            WriteStop::LastByte => self.total.map(|total| total.saturating_sub(1)),
        }
    }

    /// Learns from the head of a frame. The first stream that is opened is the request's.
    fn learn(&mut self, frame: Frame, payload: u64) {
        if self.stream.is_none() && frame.kind == Kind::Headers {
            self.stream = Some(frame.stream);
            // The head of the frame may have gone out in pieces before.
            self.begins = Some(payload.saturating_sub(frames::HEAD_BYTES as u64));
        }
        if self.stream != Some(frame.stream) {
            return;
        }
        let end = payload + frame.payload_bytes;
        self.is_last |= frame.ends_stream();
        match frame.kind {
            Kind::Headers | Kind::Continuation if frame.ends_fields() => self.head_bytes = Some(end),
            Kind::Data => self.half_bytes = self.half_bytes.or(Some(payload + frame.payload_bytes / 2)),
            _ => return,
        }
        if self.is_last {
            self.total = Some(end);
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
    /// Where in the frames of HTTP/2 the connection is.
    frames: Option<Frames>,
}

const HEAD_END: &[u8] = b"\r\n\r\n";

/// Whether bytes belonged to the answer to the request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Its,
    Others,
}

impl AnswerScan {
    /// For a connection on which HTTP/2 is about to be spoken.
    pub(super) fn framed() -> Self {
        Self { frames: Some(Frames::of_server()), ..Self::default() }
    }

    /// For the answer to the next request on the same connection.
    pub(super) fn next(&self) -> Self {
        Self { frames: self.frames, ..Self::default() }
    }

    /// How many more bytes may be read without going past the stop; none where there is no stop.
    pub(super) fn room(&self, stop: ReadStop) -> Option<usize> {
        let body_left = |bytes: u64| bytes.saturating_sub(self.body_bytes);
        let room = match (stop, self.frames) {
            (ReadStop::None, _) => return None,
            (ReadStop::StatusLine, _) if self.line_ended => 0,
            (ReadStop::Body(bytes), _) if self.head_ended() && body_left(bytes) == 0 => 0,
            (ReadStop::Body(bytes), Some(frames)) if frames.frame().is_some_and(|frame| frame.kind == Kind::Data) => {
                frames.left().min(body_left(bytes).max(1))
            }
            (_, Some(frames)) => frames.left(),
            (ReadStop::Body(bytes), None) if self.head_ended() => body_left(bytes),
            (_, None) => 1,
        };
        Some(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Looks at bytes that came in, in HTTP/2 for the answer on this stream.
    pub(super) fn read(&mut self, bytes: &[u8], stream: Option<u32>) -> Whose {
        let Some(mut frames) = self.frames else {
            self.read_plain(bytes);
            return if bytes.is_empty() { Whose::Others } else { Whose::Its };
        };
        let mut whose = Whose::Others;
        frames.read(bytes, |seen| {
            if let Seen::Payload(frame, bytes, rest) = seen
                && Some(frame.stream) == stream
            {
                whose = Whose::Its;
                self.read_frame(frame, bytes, rest);
            }
        });
        self.frames = Some(frames);
        whose
    }

    fn read_frame(&mut self, frame: Frame, bytes: u64, rest: Rest) {
        if frame.kind == Kind::Data {
            self.body_bytes += bytes;
        } else if frame.ends_fields() && rest == Rest::Nothing {
            self.line_ended = true;
            self.ending = HEAD_END.len();
        }
    }

    fn read_plain(&mut self, bytes: &[u8]) {
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
            scan.read(&answer[read..read + room], None);
            read += room;
        }
        assert_eq!(&answer[read..], b"dy");
    }
}
