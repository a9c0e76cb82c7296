//! Canaries that name their owner, and a scanner that finds them in any byte stream.
//!
//! A canary is a unique secret that is planted as one tenant's data. It carries its owner, its serial number and a check
//! that only the run key can compute, so that a scanner needs no list of canaries and its cost does not grow with
//! their number. The scanner looks for what a canary becomes under each encoding, instead of decoding all it reads.
//!
//! ```
//! use coalmine_canary::{Detector, Found, Minter, Owner, RunKey, Serial, Shape};
//!
//! let key = RunKey::derive(b"seed 42");
//! let canary = Minter::new(&key).mint(Owner(3), Serial(7), Shape::Email)?;
//! let body = format!("{{\"to\": \"{}\"}}", canary.expose().to_uppercase());
//! let sightings = Detector::new(&key).scan(body.as_bytes());
//! assert!(matches!(sightings[0].found, Found::Canary { id, .. } if id == canary.id()));
//! # Ok::<(), coalmine_canary::MintError>(())
//! ```
//!
//! No sighting proves nothing more than that: a target may keep a canary to itself, or send it in a form that is not
//! searched for.

mod canary;
mod codec;
mod context;
mod detector;
mod dictionary;
mod dump;
mod encoding;
mod escape;
mod figure;
mod fingerprint;
mod form;
mod id;
mod inflate;
mod key;
mod letters;
mod live;
mod look;
mod mask;
mod minter;
mod needle;
mod number;
mod pattern;
mod row;
mod scanner;
mod seal;
mod shape;
mod sieve;
mod sighting;
mod stretch;
mod unpacking;
mod uuid;
mod view;

pub use canary::Canary;
pub use detector::{Detector, DetectorBuilder};
pub use dictionary::DictionaryError;
pub use encoding::Encoding;
pub use id::{CanaryId, Owner, Serial};
pub use key::RunKey;
pub use minter::{MintError, Minter};
pub use pattern::{Pattern, PatternError};
pub use scanner::Scanner;
pub use shape::{Shape, UnknownShape};
pub use sighting::{Cut, CutReason, Found, ScanSummary, Sighting, Strength};
