//! The text of an event stream, cut into blocks: "Server-sent events" of the HTML Living Standard, section 9.2.6.

/// Text kept of one block; what is longer is looked at for canaries and not read as an event.
const BLOCK_BYTES_MAX: usize = 4 << 20;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads blocks however the bytes are cut into chunks.
#[derive(Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// Lines, each with a line feed behind it: an event whose data is empty has one.
    data: Vec<u8>,
    kind: String,
    /// Told by `id` fields; it stays until another is told.
    last_id: String,
    is_too_long: bool,
    /// The last byte was a carriage return: a line feed now belongs to the same end of line.
    after_return: bool,
    is_begun: bool,
}

/// A block that an empty line ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// None where the block had no data, or too much.
    pub(super) message: Option<Message>,
    pub(super) is_too_long: bool,
    /// The id from which a client would go on, as of this block; empty for none.
    pub(super) last_id: String,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// `message` where the stream names none.
    pub(super) kind: String,
    pub(super) data: Vec<u8>,
}

impl Parser {
    /// Reads up to the end of the chunk or of a block. Returns how many bytes were read, and the block if one ended.
    pub(super) fn read(&mut self, chunk: &[u8]) -> (usize, Option<Block>) {
        for (at, byte) in chunk.iter().enumerate() {
            let is_second_of_two = *byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = *byte == b'\r';
            if is_second_of_two {
                continue;
            }
            if !matches!(byte, b'\r' | b'\n') {
                self.keep(*byte);
            } else if let Some(block) = self.end_line() {
                return (at + 1, Some(block));
            }
        }
        (chunk.len(), None)
    }

    fn keep(&mut self, byte: u8) {
        if self.line.len() + self.data.len() >= BLOCK_BYTES_MAX {
            self.is_too_long = true;
        } else {
            self.line.push(byte);
        }
    }

    fn end_line(&mut self) -> Option<Block> {
        let line = std::mem::take(&mut self.line);
        let mut rest = line.as_slice();
        if !std::mem::replace(&mut self.is_begun, true) {
            rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(rest);
        }
        if rest.is_empty() {
            return Some(self.end_block());
        }
        let (field, value) = match rest.iter().position(|byte| *byte == b':') {
            Some(colon) => (&rest[..colon], &rest[colon + 1..]),
            None => (rest, &[][..]),
        };
        self.field(field, value.strip_prefix(b" ").unwrap_or(value));
        None
    }

    /// A comment is a field without a name; it and fields of other names say nothing.
    fn field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"event" => self.kind = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            b"id" if !value.contains(&0) => self.last_id = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }

    fn end_block(&mut self) -> Block {
        let mut data = std::mem::take(&mut self.data);
        let has_data = data.pop().is_some();
        let kind = std::mem::take(&mut self.kind);
        let kind = if kind.is_empty() { "message".to_owned() } else { kind };
        let is_too_long = std::mem::take(&mut self.is_too_long);
        let is_event = has_data && !is_too_long;
        Block { message: is_event.then_some(Message { kind, data }), is_too_long, last_id: self.last_id.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type and data of each event and the last id, with the stream cut into chunks of `size`.
    fn read(stream: &[u8], size: usize) -> (Vec<(String, String)>, String) {
        let mut parser = Parser::default();
        let (mut events, mut last_id) = (vec![], String::new());
        for mut chunk in stream.chunks(size) {
            while !chunk.is_empty() {
                let (len, block) = parser.read(chunk);
                chunk = &chunk[len..];
                let Some(block) = block else { continue };
                last_id = block.last_id;
                events.extend(block.message.map(|it| (it.kind, String::from_utf8(it.data).unwrap())));
            }
        }
        (events, last_id)
    }

    /// However it is cut.
    fn events(stream: &str) -> Vec<(String, String)> {
        let whole = read(stream.as_bytes(), usize::MAX);
        for size in 1..stream.len() {
            assert_eq!(read(stream.as_bytes(), size), whole, "in chunks of {size}");
        }
        whole.0
    }

    fn message(data: &str) -> (String, String) {
        ("message".to_owned(), data.to_owned())
    }

    // The examples of the standard, in their order.

    #[test]
    fn lines_of_data_are_joined() {
        let stream =
            "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\n";
        let second = "This is the second message, it\nhas two lines.";
        assert_eq!(events(stream), [message("This is the first message."), message(second)]);
    }

    #[test]
    fn events_have_types() {
        let stream = "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: x\n\n";
        let kinds = events(stream).into_iter().map(|(kind, _)| kind);
        assert_eq!(kinds.collect::<Vec<_>>(), ["add", "remove", "message"]);
    }

    #[test]
    fn comments_and_blocks_without_data_are_no_events_and_an_unfinished_event_is_none() {
        let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\nevent: x\n\ndata: no";
        assert_eq!(events(stream), [message("first event"), message("second event"), message(" third event")]);
    }

    #[test]
    fn empty_data_is_an_event() {
        assert_eq!(events("data\n\ndata\ndata\n\ndata:"), [message(""), message("\n")]);
    }

    #[test]
    fn one_blank_after_the_colon_says_nothing() {
        assert_eq!(events("data:test\n\ndata: test\n\n"), [message("test"), message("test")]);
    }

    #[test]
    fn all_ends_of_lines_are_the_same() {
        let stream = "data: a\r\ndata: b\r\n\r\ndata: c\rdata: d\r\rdata: e\n\n";
        assert_eq!(events(stream), [message("a\nb"), message("c\nd"), message("e")]);
    }

    #[test]
    fn a_byte_order_mark_at_the_beginning_says_nothing() {
        assert_eq!(events("\u{feff}data: a\n\n\u{feff}data: b\n\n"), [message("a")]);
    }

    #[test]
    fn the_last_id_stays_until_another_comes_and_an_empty_one_ends_it() {
        let last_id = |stream: &str| read(stream.as_bytes(), 3).1;
        assert_eq!(last_id("id: 7\ndata: a\n\ndata: b\n\n"), "7");
        assert_eq!(last_id("id: 7\n\nid: 8\ndata: unfinished\n"), "7");
        assert_eq!(last_id("id: 7\n\nid\n\n"), "");
        assert_eq!(last_id("id: 7\n\nid: a\0b\n\n"), "7");
    }

    #[test]
    fn a_block_that_is_too_long_is_no_event_and_the_next_is_one() {
        let mut stream = b"data: ".to_vec();
        stream.resize(BLOCK_BYTES_MAX + 100, b'x');
        stream.extend_from_slice(b"\n\ndata: y\n\n");
        let mut parser = Parser::default();
        let (len, block) = parser.read(&stream);
        assert!(block.unwrap().is_too_long);
        assert_eq!(parser.read(&stream[len..]).1.unwrap().message.unwrap().data, b"y");
    }
}
