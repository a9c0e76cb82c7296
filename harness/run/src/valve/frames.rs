//! Frames of HTTP/2 (RFC 9113, section 4.1), as far as the valve has to know them: where each begins and ends, and to which stream it
//! belongs.

/// Of the head of a frame.
pub(super) const HEAD_BYTES: usize = 9;
/// `PRI * HTTP/2.0` and what follows it, which a client says first.
const PREFACE_BYTES: u64 = 24;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Continuation,
    Other,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    flags: u8,
    pub(super) stream: u32,
    pub(super) payload_bytes: u64,
}

impl Frame {
    pub(super) fn parse(head: &[u8; HEAD_BYTES]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = *head;
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::Headers,
            9 => Kind::Continuation,
            _ => Kind::Other,
        };
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Self { kind, flags, stream, payload_bytes: u64::from(u32::from_be_bytes([0, a, b, c])) }
    }

    pub(super) fn ends_stream(&self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Headers) && self.flags & END_STREAM != 0
    }

    pub(super) fn ends_fields(&self) -> bool {
        matches!(self.kind, Kind::Headers | Kind::Continuation) && self.flags & END_HEADERS != 0
    }
}

/// What was come across among the bytes of a direction.
pub(super) enum Seen {
    /// The head of a frame, and after how many of the bytes its payload begins.
    Head(Frame, u64),
    /// So many bytes of its payload, and whether they were the last.
    Payload(Frame, u64, Rest),
}

/// Whether more of a frame is to come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    More,
    Nothing,
}

/// How far a direction of a connection has come.
#[derive(Clone, Copy)]
pub(super) struct Frames {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    frame: Option<Frame>,
    /// Bytes of the frame, or of the preface, that are still to come.
    left: u64,
}

impl Frames {
    /// What a client says.
    pub(super) fn of_client() -> Self {
        Self { left: PREFACE_BYTES, ..Self::of_server() }
    }

    /// What a server says.
    pub(super) fn of_server() -> Self {
        Self { head: [0; HEAD_BYTES], head_bytes: 0, frame: None, left: 0 }
    }

    /// After how many bytes something new is known.
    pub(super) fn left(&self) -> u64 {
        if self.left > 0 { self.left } else { (HEAD_BYTES - self.head_bytes) as u64 }
    }

    /// The frame of which the payload comes now.
    pub(super) fn frame(&self) -> Option<Frame> {
        self.frame
    }

    pub(super) fn read(&mut self, bytes: &[u8], mut see: impl FnMut(Seen)) {
        let mut at = 0;
        while at < bytes.len() {
            let now = usize::try_from(self.left()).unwrap_or(usize::MAX).min(bytes.len() - at);
            let part = &bytes[at..at + now];
            at += now;
            if self.left > 0 {
                self.read_payload(now as u64, &mut see);
            } else {
                self.read_head(part, at as u64, &mut see);
            }
        }
    }

    fn read_payload(&mut self, bytes: u64, see: &mut impl FnMut(Seen)) {
        self.left -= bytes;
        let rest = if self.left == 0 { Rest::Nothing } else { Rest::More };
        if let Some(frame) = self.frame {
            see(Seen::Payload(frame, bytes, rest));
        }
        if rest == Rest::Nothing {
            self.frame = None;
        }
    }

    fn read_head(&mut self, part: &[u8], at: u64, see: &mut impl FnMut(Seen)) {
        self.head[self.head_bytes..self.head_bytes + part.len()].copy_from_slice(part);
        self.head_bytes += part.len();
        if self.head_bytes < HEAD_BYTES {
            return;
        }
        self.head_bytes = 0;
        let frame = Frame::parse(&self.head);
        see(Seen::Head(frame, at));
        self.left = frame.payload_bytes;
        if self.left == 0 {
            see(Seen::Payload(frame, 0, Rest::Nothing));
        } else {
            self.frame = Some(frame);
        }
    }
}

impl Frames {
    /// Whether one frame has ended and none has begun.
    pub(super) fn is_between(&self) -> bool {
        self.left == 0 && self.head_bytes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: &[u8] = &[
        0,
        0,
        2,
        1,
        END_HEADERS,
        0,
        0,
        0,
        5,
        b'h',
        b'h', // the fields of stream 5
        0,
        0,
        0,
        4,
        1,
        0,
        0,
        0,
        0, // settings acknowledged, which ends no stream
        0,
        0,
        3,
        0,
        END_STREAM,
        0x80,
        0,
        0,
        5,
        b'a',
        b'b',
        b'c', // its body
    ];

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        for cut in 0..FRAMES.len() {
            let mut frames = Frames::of_server();
            let (mut heads, mut body) = (vec![], 0);
            for part in [&FRAMES[..cut], &FRAMES[cut..]] {
                frames.read(part, |seen| match seen {
                    Seen::Head(frame, _) => heads.push((frame.kind, frame.stream, frame.ends_stream())),
                    Seen::Payload(frame, bytes, _) if frame.kind == Kind::Data => body += bytes,
                    Seen::Payload(..) => {}
                });
            }
            assert_eq!(heads, [(Kind::Headers, 5, false), (Kind::Other, 0, false), (Kind::Data, 5, true)], "{cut}");
            assert_eq!((body, frames.left()), (3, 9));
        }
    }

    #[test]
    fn a_client_says_something_else_first() {
        let mut frames = Frames::of_client();
        let said = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], FRAMES].concat();
        let mut heads = vec![];
        frames.read(&said, |seen| {
            if let Seen::Head(frame, at) = seen {
                heads.push((frame.kind, at));
            }
        });
        assert_eq!(heads, [(Kind::Headers, 33), (Kind::Other, 44), (Kind::Data, 53)]);
    }
}
