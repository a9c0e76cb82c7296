//! Frames of a WebSocket on their way out, of which pongs are swallowed: a client that is there and does not say so.

use std::sync::atomic::Ordering;

use super::Valve;

/// The first byte of a pong in one frame (RFC 6455, section 5.2).
const PONG: u8 = 0x8a;

/// Where in its frames the connection is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pongs {
    /// Bytes of the current frame that are still to come.
    left: usize,
    swallowed: u32,
}

impl Pongs {
    /// How many of the bytes belong to the frame that is on its way, and whether they are a pong.
    fn frame(&self, offered: &[u8]) -> (usize, bool) {
        if self.left > 0 {
            return (self.left.min(offered.len()), false);
        }
        // What is no whole head is let through as it is: it cannot be a pong, which is short and written at once.
        let Some(len) = frame_bytes(offered) else { return (offered.len(), false) };
        (len.min(offered.len()), offered[0] == PONG && len <= offered.len())
    }

    /// So many bytes have gone out.
    pub(super) fn wrote(&mut self, written: usize) {
        self.left = self.left.saturating_sub(written);
    }
}

impl Valve {
    /// From now on no pong goes out.
    pub(crate) fn swallow_pongs(&self) {
        self.lock().pongs = Some(Pongs::default());
        self.is_armed.store(true, Ordering::Release);
    }

    /// Pongs that did not go out.
    pub(crate) fn pongs_swallowed(&self) -> u32 {
        self.lock().pongs.map_or(0, |pongs| pongs.swallowed)
    }

    /// What of the bytes may go out now; or how many of them are a pong, which goes nowhere.
    pub(super) fn pass_pongs<'b>(&self, offered: &'b [u8]) -> Result<&'b [u8], usize> {
        let mut state = self.lock();
        let Some(pongs) = &mut state.pongs else { return Ok(offered) };
        let (len, is_pong) = pongs.frame(offered);
        if is_pong {
            pongs.swallowed += 1;
            return Err(len);
        }
        if pongs.left == 0 {
            pongs.left = frame_bytes(offered).unwrap_or(len);
        }
        Ok(&offered[..len])
    }
}

/// The length of the frame that begins here, with its head.
fn frame_bytes(offered: &[u8]) -> Option<usize> {
    let (length, mask) = (offered.get(1)? & 0x7f, if offered[1] & 0x80 == 0 { 0 } else { 4 });
    let (head, payload) = match length {
        126 => (4, u64::from(u16::from_be_bytes(offered.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(offered.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    usize::try_from(payload).ok()?.checked_add(head + mask)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::tests::pair;

    /// A masked frame, as clients send them.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let len = u8::try_from(payload.len()).unwrap();
        let head = if len < 126 { vec![first, 0x80 | len] } else { vec![first, 0xfe, 0, len] };
        [head, vec![0; 4], payload.to_vec()].concat()
    }

    #[tokio::test]
    async fn pongs_do_not_arrive_and_all_else_does() {
        let (mut near, mut far) = pair().await;
        near.valve().swallow_pongs();
        let (text, long) = (frame(0x81, b"text"), frame(0x82, &[0x8a; 200]));
        let all = [frame(0x8a, b"1"), text.clone(), frame(0x8a, &[]), long.clone(), frame(0x8a, b"2")].concat();
        near.write_all(&all).await.unwrap();
        assert_eq!(near.valve().pongs_swallowed(), 3);
        near.shutdown().await.unwrap();
        let mut got = vec![];
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, [text, long].concat());
    }
}
