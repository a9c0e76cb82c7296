//! What the client does to shake the target: when an operation begins, on which connection it goes, how fast, and where it is cut off.
//!
//! All of it is data of the [`crate::Plan`]; `run` carries it out at the socket and records for each operation whether the point that
//! was aimed at was reached ([`crate::history::Happening::Perturbed`]).

use serde::{Deserialize, Serialize};

use crate::plan::{OpId, ScopeId};

/// Kinds of perturbations, as scenarios and reports name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Perturbation {
    /// Operations of different tenants are released together, each with its last byte held back until all are ready (the last-byte
    /// synchronisation of J. Kettle, "Smashing the state machine", 2023).
    Race,
    /// An operation waits for a moment of another tenant's: until it is in flight, or until it has ended.
    React,
    /// An operation begins later than it could (the systematic fuzzing of Coyote).
    Delay,
    /// A request is given up at a chosen point (redis-py issues 2624 and 2665).
    Cancel,
    /// Requests of several tenants go over one connection, one after another, as through a gateway; in HTTP/2 at the same time as well.
    Share,
    /// The connection is closed and opened anew before an operation.
    Reconnect,
    /// A request is written in slices, or its answer read slowly through a small buffer; a WebSocket is not read for a while, or its
    /// pings are not answered.
    Stall,
    /// Everything that some tenants have open stands still, and moves again in another order (the swizzle-clogging of
    /// `FoundationDB`'s simulation, for clients).
    Swizzle,
    /// An operation is sent twice.
    Retry,
    /// One tenant sends what no honest client sends, and others go on before and after it.
    Poison,
    /// A search asks for what the rows of all tenants have in common.
    Widen,
    /// One tenant sends many requests at a time, and others go on meanwhile.
    Flood,
    /// What the client chooses, such as an idempotency key, is what another tenant has chosen.
    Collide,
    /// A user shows a credential that nobody was given.
    Forge,
}

impl Perturbation {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 14] = [
        Self::Race,
        Self::React,
        Self::Delay,
        Self::Cancel,
        Self::Share,
        Self::Reconnect,
        Self::Stall,
        Self::Swizzle,
        Self::Retry,
        Self::Poison,
        Self::Widen,
        Self::Flood,
        Self::Collide,
        Self::Forge,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::React => "react",
            Self::Delay => "delay",
            Self::Cancel => "cancel",
            Self::Share => "share",
            Self::Reconnect => "reconnect",
            Self::Stall => "stall",
            Self::Swizzle => "swizzle",
            Self::Retry => "retry",
            Self::Poison => "poison",
            Self::Widen => "widen",
            Self::Flood => "flood",
            Self::Collide => "collide",
            Self::Forge => "forge",
        }
    }
}

impl std::fmt::Display for Perturbation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How an operation is done, besides what it does. The default is the plain way: at once, on the principal's own connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manner {
    /// When it begins.
    #[serde(skip_serializing_if = "is_default")]
    pub start: Start,
    /// Its last byte is held back until all members of this gate are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateId>,
    /// Over which connection it goes.
    #[serde(skip_serializing_if = "is_default")]
    pub via: Via,
    /// How fast its bytes go.
    #[serde(skip_serializing_if = "is_default")]
    pub pace: Pace,
    /// Where it is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Everything that its user has open stands still meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<Freeze>,
    /// It is a second copy of the operation before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// How what it sends is spoiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poison: Option<Poison>,
    /// What it searches for in the place of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widen: Option<Widen>,
    /// It is one of a flood: so many of those that stand side by side in its lane are in flight at a time as there are
    /// [`FLOOD_CONNECTIONS`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flood: bool,
    /// What its user chooses is what another tenant's user chooses in this pass. All operations that use what is chosen in a pass say
    /// the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collide: Option<ScopeId>,
    /// It shows whether a rule of the scenario is kept: index into [`crate::Plan::rules`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// How the credential is changed that it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forge: Option<Forgery>,
}

/// Ways to make a credential that nobody was given of one's own. An honest service refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forgery {
    /// One letter of its last part is another.
    Letter,
    /// Its last part is that of another tenant's credential.
    Splice,
    /// Its last part is missing; a JWT says that it has no signature (RFC 7519, section 6).
    Unsigned,
}

impl Forgery {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Letter, Self::Splice, Self::Unsigned];
}

/// Index into [`crate::Plan::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub u16);

/// What stands in a query where a canary would, so that rows of all tenants are like it. An honest service shows its caller
/// those that it may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Widen {
    /// The letters that all canaries begin with.
    Stem,
    /// The last word of the value: texts end in common words.
    Word,
    /// Nothing.
    Empty,
    /// What stands for anything in SQL.
    Percent,
    /// What stands for anything in search engines.
    Star,
}

impl Widen {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stem, Self::Word, Self::Empty, Self::Percent, Self::Star];
}

/// Connections that a flood goes over, and so many of its requests wait for their answers at a time.
pub const FLOOD_CONNECTIONS: usize = 8;

/// How a request is spoiled, once all its holes are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// In which way.
    pub kind: PoisonKind,
    /// Which of the values of the body, counted modulo their number.
    pub value: u16,
}

/// Ways to spoil a request. An honest service refuses it, or takes it, and nobody else notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoisonKind {
    /// The body ends in the middle.
    Truncated,
    /// There is no body.
    Empty,
    /// Bytes that are no UTF-8 stand at the end of the body.
    InvalidUtf8,
    /// A value is of another type.
    WrongType,
    /// A text is of so many characters of several bytes each, so that a limit in bytes falls into the middle of one.
    WideCharacters,
    /// A text is very long.
    LongText,
    /// A text holds NUL and other control characters.
    ControlCharacters,
    /// A text holds quotes, percent signs, slashes and what ends statements elsewhere.
    Metacharacters,
    /// A value is a list in a list, many times over.
    DeepNesting,
    /// A value is a number beyond 64 bits.
    HugeNumber,
    /// A key stands there twice.
    DuplicateKey,
    /// The last part of the path has quotes, percent signs and slashes behind it.
    HostilePath,
    /// A value that holds no canary is another that is allowed and odd. Drawn by campaigns alone.
    Odd(Odd),
}

/// A value that few clients send. It need not mean harm, and a service may well take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Odd {
    /// A text of so many characters; none makes it empty.
    Text {
        /// Which ones.
        letters: Letters,
        /// How many, at most [`ODD_CHARACTERS_MAX`].
        count: u32,
    },
    /// A power of two and a little more or less: where types of numbers end.
    Power {
        /// Of two.
        exponent: u8,
        /// What is added.
        plus: i8,
        /// Which side of zero.
        sign: Sign,
    },
    /// A number with so many decimal places, at most [`ODD_PLACES_MAX`].
    Fraction {
        /// How many.
        places: u8,
    },
    /// One, so many decimal places shifted.
    Exponent {
        /// To the left, or to the right.
        places: i16,
    },
    /// Objects in lists in objects.
    Nested {
        /// How deep, at most [`ODD_DEPTH_MAX`].
        depth: u16,
    },
    /// A list of so many numbers, at most [`ODD_CHARACTERS_MAX`].
    List {
        /// How many.
        count: u32,
    },
    /// Nothing.
    Null,
    /// True.
    True,
    /// The value that was there, in a list.
    Listed,
    /// The value that was there, as a text or as what its text says.
    Retyped,
}

/// Characters of which an odd text is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Letters {
    /// `a`.
    Plain,
    /// Spaces.
    Space,
    /// Ends of lines.
    Line,
    /// Digits.
    Digit,
    /// Of two bytes in UTF-8.
    Two,
    /// Of three bytes.
    Three,
    /// Of four bytes, which are two units of UTF-16.
    Four,
    /// Letters with marks that stand behind them.
    Combining,
    /// From right to left.
    Arabic,
    /// Without a width.
    Hidden,
    /// Halves of pairs of UTF-16, each by itself.
    Lone,
    /// Those whose small and large forms are of different lengths.
    Folding,
}

/// A side of zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// Above.
    Plus,
    /// Below.
    Minus,
}

/// Characters of an odd text, or numbers of an odd list, at most.
pub const ODD_CHARACTERS_MAX: u32 = 8 << 10;
/// Decimal places of an odd number at most.
pub const ODD_PLACES_MAX: u8 = 60;
/// How deep an odd value is nested at most: a reader that goes deeper for every one of them is [`PoisonKind::DeepNesting`].
pub const ODD_DEPTH_MAX: u16 = 48;
/// The largest power of two: beyond it nothing ends.
pub const ODD_EXPONENT_MAX: u8 = 126;

impl Letters {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Plain,
        Self::Space,
        Self::Line,
        Self::Digit,
        Self::Two,
        Self::Three,
        Self::Four,
        Self::Combining,
        Self::Arabic,
        Self::Hidden,
        Self::Lone,
        Self::Folding,
    ];
}

impl PoisonKind {
    /// All that a round draws by itself.
    pub const ALL: [Self; 12] = [
        Self::Truncated,
        Self::Empty,
        Self::InvalidUtf8,
        Self::WrongType,
        Self::WideCharacters,
        Self::LongText,
        Self::ControlCharacters,
        Self::Metacharacters,
        Self::DeepNesting,
        Self::HugeNumber,
        Self::DuplicateKey,
        Self::HostilePath,
    ];

    /// Whether it changes a value of JSON, and not bytes of whatever there is.
    pub fn needs_json(self) -> bool {
        !matches!(self, Self::Truncated | Self::Empty | Self::InvalidUtf8 | Self::HostilePath)
    }

    /// Whether it changes a body.
    pub fn needs_body(self) -> bool {
        self != Self::HostilePath
    }
}

/// When an operation begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// As soon as the one before it has ended.
    #[default]
    AtOnce,
    /// So many microseconds later.
    After {
        /// How long.
        delay_us: u32,
    },
    /// Once another operation has come so far, and so many microseconds later.
    Once {
        /// Which.
        op: OpId,
        /// How far.
        moment: Moment,
        /// How long after it.
        delay_us: u32,
    },
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// It could be sent, and waits for a moment of another's.
    Ready,
    /// It is about to be sent.
    InFlight,
    /// It has ended, however it ended.
    Ended,
}

/// Index into [`crate::Plan::gates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GateId(pub u32);

/// Operations of different tenants that are released together.
///
/// In every lane the gates stand in ascending order, so that lanes cannot wait for each other in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// How many operations.
    pub members: u16,
}

/// The connection over which a request goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// The principal's own, which stays open.
    #[default]
    Own,
    /// The principal's own, opened anew.
    Fresh,
    /// One that other tenants use as well; index below [`crate::Plan::shared_connections`].
    Shared(u16),
}

/// How fast bytes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// As fast as they can.
    #[default]
    Full,
    /// The request is written in slices.
    Write {
        /// Of this many bytes.
        slice_bytes: u32,
        /// With such pauses between them.
        pause_us: u32,
        /// At most so many pauses.
        pauses_max: u16,
    },
    /// The answer is read in slices, on a connection with a small receive buffer where it is opened for it.
    Read {
        /// Of this many bytes.
        slice_bytes: u32,
        /// With such pauses between them.
        pause_us: u32,
        /// At most so many pauses.
        pauses_max: u16,
    },
    /// Nothing is read of a WebSocket until events are waited for, and so much longer; on a connection that takes little in.
    Deaf {
        /// How much longer.
        wait_us: u32,
    },
    /// The pings that come on a WebSocket are not answered.
    Mute,
}

/// How long everything stands still that a user has open: the request lacks its last byte, and of WebSockets and event streams
/// nothing is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Until another tenant's operation is in flight,
    pub until: OpId,
    /// and so much longer. Of those who wait for the same operation, each has another time: they thaw in an order of their own.
    pub after_us: u32,
}

/// Where and how a request is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Where.
    pub at: Point,
    /// How.
    pub by: HangUp,
}

/// A point in the life of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// Nothing of it was sent on the open connection.
    Nothing,
    /// The head was sent, and nothing of the body.
    Head,
    /// Half of the body was sent.
    Body,
    /// All but the last byte was sent.
    AllButLast,
    /// All was sent, and of the answer nothing has come. The hang-up comes so many thousandths of the time after it that the
    /// operation's answers usually take: 0 is at once.
    Sent {
        /// Thousandths of the usual time to the first byte of the answer.
        wait_permille: u16,
    },
    /// All was sent, and another operation has come so far.
    Once {
        /// Which.
        op: OpId,
        /// How far.
        moment: Moment,
        /// How many microseconds after that.
        #[serde(default, skip_serializing_if = "is_default")]
        delay_us: u32,
    },
    /// The status line of the answer has come.
    StatusLine,
    /// The head of the answer has come, and so many bytes of its body.
    AnswerBody {
        /// How many.
        bytes: u32,
    },
    /// So many messages have come on a WebSocket or an event stream.
    Frames {
        /// How many.
        count: u16,
    },
}

/// How a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HangUp {
    /// With RST.
    Reset,
    /// With FIN.
    Close,
    /// Our direction is closed with FIN; the answer is still read.
    HalfClose,
    /// Not at all: nothing more is written or read, and the connection stays open until the lane ends.
    Silence,
    /// With a close frame, on a WebSocket; with FIN elsewhere.
    CloseFrame,
    /// With `RST_STREAM`, in HTTP/2, where the connection lives on; with FIN elsewhere.
    Stream,
}

impl Manner {
    /// Whether there is nothing out of the ordinary in it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The kinds of perturbations that it consists of.
    pub fn perturbations(&self) -> Vec<Perturbation> {
        let mut kinds = vec![];
        match self.start {
            Start::AtOnce => {}
            Start::After { .. } => kinds.push(Perturbation::Delay),
            Start::Once { .. } => kinds.push(Perturbation::React),
        }
        kinds.extend(self.gate.map(|_| Perturbation::Race));
        match self.via {
            Via::Own => {}
            Via::Fresh => kinds.push(Perturbation::Reconnect),
            Via::Shared(_) => kinds.push(Perturbation::Share),
        }
        kinds.extend((self.pace != Pace::Full).then_some(Perturbation::Stall));
        kinds.extend(self.freeze.map(|_| Perturbation::Swizzle));
        kinds.extend(self.cut.map(|_| Perturbation::Cancel));
        kinds.extend(self.again.then_some(Perturbation::Retry));
        kinds.extend(self.poison.map(|_| Perturbation::Poison));
        kinds.extend(self.widen.map(|_| Perturbation::Widen));
        kinds.extend(self.flood.then_some(Perturbation::Flood));
        kinds.extend(self.collide.map(|_| Perturbation::Collide));
        kinds.extend(self.forge.map(|_| Perturbation::Forge));
        kinds
    }

    /// The operations whose moments it waits for.
    pub fn awaits(&self) -> impl Iterator<Item = OpId> + use<> {
        let begins = match self.start {
            Start::Once { op, .. } => Some(op),
            _ => None,
        };
        let ends = self.cut.and_then(|cut| match cut.at {
            Point::Once { op, .. } => Some(op),
            _ => None,
        });
        [begins, ends, self.freeze.map(|freeze| freeze.until)].into_iter().flatten()
    }

    /// The kind of perturbation by which it shows whether its rule is kept.
    pub fn rule_shown_by(&self) -> Option<(RuleId, Perturbation)> {
        let rule = self.rule?;
        let ends = self.cut.filter(|cut| matches!(cut.at, Point::Once { .. })).map(|_| Perturbation::Cancel);
        let meets = self.gate.map(|_| Perturbation::Race);
        let begins = matches!(self.start, Start::Once { .. }).then_some(Perturbation::React);
        Some((rule, ends.or(meets).or(begins)?))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_manner_takes_no_room_in_a_plan() {
        assert_eq!(serde_json::to_string(&Manner::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Manner>("{}").unwrap(), Manner::default());
    }

    #[test]
    fn a_manner_names_every_perturbation_in_it() {
        let cut = Cut { at: Point::Sent { wait_permille: 0 }, by: HangUp::Reset };
        let manner = Manner {
            start: Start::After { delay_us: 5 },
            gate: Some(GateId(1)),
            via: Via::Fresh,
            pace: Pace::Write { slice_bytes: 1, pause_us: 1, pauses_max: 1 },
            freeze: Some(Freeze { until: OpId(3), after_us: 5 }),
            cut: Some(cut),
            again: true,
            poison: Some(Poison { kind: PoisonKind::WideCharacters, value: 3 }),
            widen: Some(Widen::Stem),
            rule: Some(RuleId(2)),
            flood: true,
            collide: Some(ScopeId(4)),
            forge: Some(Forgery::Splice),
        };
        let kinds = manner.perturbations();
        assert_eq!(kinds.len(), 12);
        let written = serde_json::to_string(&manner).unwrap();
        assert_eq!(serde_json::from_str::<Manner>(&written).unwrap(), manner);
    }
}
