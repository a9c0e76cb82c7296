//! Makes canaries.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    Canary, CanaryId, Owner, Pattern, RunKey, Serial, Shape, figure, letters, number::Range, seal::Seal, shape::Family,
    uuid,
};

/// Mints the canaries of a run. The same key, owner, serial and shape give the same canary, on any machine.
#[derive(Clone)]
pub struct Minter {
    seal: Arc<Seal>,
}

/// A canary that cannot be minted, because its shape has too few bits for its name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MintError {
    /// The shape cannot name so many owners.
    #[error("shape {shape} can name owners 0 to {max}, not {owner}")]
    OwnerTooLarge {
        /// The shape.
        shape: Shape,
        /// The owner that was asked for.
        owner: Owner,
        /// The largest owner.
        max: u32,
    },
    /// The shape cannot name so many canaries of this owner.
    #[error("shape {shape} has serials 0 to {max} for owner {owner}, not {serial}")]
    SerialTooLarge {
        /// The shape.
        shape: Shape,
        /// The owner, on whom the limit may depend.
        owner: Owner,
        /// The serial that was asked for.
        serial: Serial,
        /// The largest serial.
        max: u32,
    },
    /// The field is too short for a canary that names its owner.
    #[error("shape {shape} needs {needed} characters here, and {chars_max} are allowed")]
    FieldTooShort {
        /// The shape.
        shape: Shape,
        /// The characters that it needs.
        needed: usize,
        /// The characters that were allowed.
        chars_max: usize,
    },
    /// The pattern has no room for a canary that names its owner.
    #[error("a token needs {needed} letters in a row here, and the pattern has no place for them")]
    PatternTooShort {
        /// The letters that it needs.
        needed: usize,
    },
}

impl Minter {
    /// A minter for the run of this key.
    pub fn new(key: &RunKey) -> Self {
        Self { seal: Arc::new(Seal::new(key)) }
    }

    /// Mints one canary.
    ///
    /// # Errors
    /// The shape cannot name this owner or serial, see [`Shape::owners`] and [`Shape::serials`].
    pub fn mint(&self, owner: Owner, serial: Serial, shape: Shape) -> Result<Canary, MintError> {
        let id = CanaryId { owner, serial, shape };
        if u64::from(owner.0) >= shape.owners() {
            let max = below(shape.owners());
            return Err(MintError::OwnerTooLarge { shape, owner, max });
        }
        if u64::from(serial.0) >= shape.serials(owner) {
            let max = below(shape.serials(owner));
            return Err(MintError::SerialTooLarge { shape, owner, serial, max });
        }
        Ok(Canary::new(id, self.text(id)))
    }

    /// Mints one canary of no more than `chars_max` characters. The core of a lettered shape is cut if it must be, to no
    /// fewer than 22 letters (31 of the long form); it is then found as a fragment.
    ///
    /// # Errors
    /// As [`Minter::mint`], and where the field is too short.
    pub fn mint_within(
        &self,
        owner: Owner,
        serial: Serial,
        shape: Shape,
        chars_max: usize,
    ) -> Result<Canary, MintError> {
        let whole = self.mint(owner, serial, shape)?;
        let surplus = whole.expose().len().saturating_sub(chars_max);
        if surplus == 0 {
            return Ok(whole);
        }
        let core = letters::close(&self.seal, whole.id());
        let spare = match shape.family() {
            Family::Letters if shape != Shape::Jwt => core.len() - letters::letters_min(&core),
            _ => 0,
        };
        if surplus > spare {
            let needed = whole.expose().len() - spare;
            return Err(MintError::FieldTooShort { shape, needed, chars_max });
        }
        Ok(Canary::new(whole.id(), dress(&self.seal, whole.id(), &core[..core.len() - surplus])))
    }

    /// Mints a token that matches a pattern. Where the pattern leaves less room than a core takes, it is cut, and found as a
    /// fragment.
    ///
    /// # Errors
    /// As [`Minter::mint`], and where the pattern has too little room for this owner or serial.
    pub fn mint_matching(&self, owner: Owner, serial: Serial, pattern: &Pattern) -> Result<Canary, MintError> {
        let id = self.mint(owner, serial, Shape::Token)?.id();
        let core = letters::close(&self.seal, id);
        let needed = letters::letters_min(&core);
        let text = pattern.write(&core, needed).ok_or(MintError::PatternTooShort { needed })?;
        Ok(Canary::new(id, text))
    }

    /// Mints an API key behind a prefix, such as `sk_live_`, in place of the usual one.
    ///
    /// # Errors
    /// As [`Minter::mint`].
    pub fn mint_behind(&self, owner: Owner, serial: Serial, prefix: &str) -> Result<Canary, MintError> {
        let id = self.mint(owner, serial, Shape::ApiKey)?.id();
        Ok(Canary::new(id, format!("{prefix}{}", letters::close(&self.seal, id))))
    }

    fn text(&self, id: CanaryId) -> String {
        match id.shape.family() {
            Family::Letters => dress(&self.seal, id, &letters::close(&self.seal, id)),
            Family::Uuid => uuid::close(&self.seal, id),
            Family::Number => {
                let range = Range::of(id.shape).expect("numeric shapes have a range");
                figure::write(id.shape, range.close(&self.seal, id.owner, id.serial))
            }
        }
    }
}

/// Puts a core into the look of its shape.
fn dress(seal: &Seal, id: CanaryId, core: &str) -> String {
    let choice = usize::from(seal.check(id)[31]);
    match id.shape {
        Shape::Email => format!("{core}@canary.example"),
        Shape::Text => {
            let (before, after) = SENTENCES[choice % SENTENCES.len()];
            format!("{before} {core} {after}")
        }
        Shape::Name => {
            let (first, rest) = core.split_at(1);
            format!("{} {}{rest}", GIVEN_NAMES[choice % GIVEN_NAMES.len()], first.to_ascii_uppercase())
        }
        Shape::Url => format!("https://canary.example/{core}"),
        Shape::Hostname => format!("{core}.canary.example"),
        Shape::FileName => format!("{core}.txt"),
        Shape::ApiKey => format!("key_{core}"),
        Shape::Jwt => jwt(seal, id, core),
        _ => core.to_owned(),
    }
}

fn jwt(seal: &Seal, id: CanaryId, core: &str) -> String {
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = encode(format!("{{\"sub\":\"{core}\"}}").as_bytes());
    format!("{header}.{claims}.{}", encode(&seal.check(id)))
}

/// Names ahead of the core of a person's name.
const GIVEN_NAMES: [&str; 8] = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Ida"];

/// Words around the core of a sentence.
const SENTENCES: [(&str, &str); 6] = [
    ("Please ask", "about the invoice before Friday."),
    ("The notes for", "are ready to be read."),
    ("We met", "at the station on Monday."),
    ("Call", "once the order has left."),
    ("The draft by", "needs one more look."),
    ("Thanks to", "for the quick answer."),
];

impl Shape {
    /// One above the largest owner that canaries of this shape can name.
    pub fn owners(self) -> u64 {
        match self.family() {
            Family::Letters => 1 << 32,
            Family::Uuid => u64::from(uuid::NUMBER_MAX) + 1,
            Family::Number => Range::of(self).map_or(0, Range::owners),
        }
    }

    /// One above the largest serial of this owner's canaries of this shape.
    pub fn serials(self, owner: Owner) -> u64 {
        match self.family() {
            Family::Letters => 1 << 32,
            Family::Uuid => u64::from(uuid::NUMBER_MAX) + 1,
            Family::Number => Range::of(self).map_or(0, |range| range.serials(owner)),
        }
    }
}

fn below(limit: u64) -> u32 {
    u32::try_from(limit.saturating_sub(1)).unwrap_or(u32::MAX)
}
