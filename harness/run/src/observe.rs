//! Looks at everything that one principal receives, while it streams, and keeps facts instead of bytes.

use std::collections::HashSet;

use coalmine_canary::{CanaryId, CutReason, Detector, Encoding, Found, ScanSummary, Scanner, Sighting, Strength};
use coalmine_core::Plan;
use coalmine_core::history::{Astray, Channel, CutOff, Digest, IdentityFact, OpenTable, Receipt, Seen};
use coalmine_core::plan::{Mine, ScopeId, Shapes};
use coalmine_core::principal::Principal;
use hyper::HeaderMap;
use serde_json::Value;

use crate::content::Unpacker;
use crate::outline::Measure;
use crate::passes::Passes;
use crate::paths::Paths;
use crate::shape::Shaper;

/// Others' canaries kept of one answer; more are counted.
const FOREIGN_SEEN_MAX: usize = 256;
/// The same of rounds and runs before, which a service that keeps everything shows first: they leave room for those of this round.
const FORMER_SEEN_MAX: usize = 256;
/// Canaries of colleagues that belong to the tenant kept of one answer: more of them say nothing more.
const SHARED_SEEN_MAX: usize = 256;
/// Own canaries of other passes that are kept where the wanted ones are missing.
const STRAY_SEEN_MAX: usize = 8;
/// Own canaries under keys that do not name their owner, kept of one search: more of them say nothing more.
const ASTRAY_MAX: usize = 64;
/// Own canaries kept of one frame.
const OWN_SEEN_MAX: usize = 256;
/// Values of identity fields kept of one answer.
const IDENTITIES_MAX: u32 = 256;
/// JSON longer than this is scanned for canaries, and not read for captures and identities.
const JSON_BYTES_MAX: usize = 4 << 20;

/// What every observation of a round needs.
pub(crate) struct Lens {
    pub(crate) detector: Detector,
    pub(crate) paths: Paths,
    pub(crate) digest_key: [u8; 32],
}

/// One answer or one frame, on its way in.
pub(crate) struct Observer<'a> {
    plan: &'a Plan,
    lens: &'a Lens,
    receiver: &'a Principal,
    seen: Collected<'a>,
    body: Option<Scanner>,
    /// Unpacks the body for those who read it.
    unpacker: Option<Unpacker>,
    /// Looks at what was unpacked, where the scanner of the body does not unpack it itself.
    inner: Option<Scanner>,
    message: Option<(Channel, Scanner)>,
    json: Json,
    cut_off: Vec<CutOff>,
    measure: Option<Measure>,
    shaper: Option<Shaper>,
    /// Values at the paths of identities in answers before this one.
    earlier: Vec<IdentityFact>,
    open_tables: Vec<OpenTable>,
    astray: Vec<Astray>,
}

/// The JSON of the answer, if anybody asks for it.
enum Json {
    NotWanted,
    Bytes(Vec<u8>),
    TooLong,
}

/// Which of the receiver's own canaries are kept: a list of all that it wrote would fill the history.
#[derive(Clone, Copy)]
pub(crate) enum Own<'a> {
    All,
    Only {
        /// Those that the answer must show.
        wanted: &'a [CanaryId],
        /// Those that belong to one pass, kept where another pass of the same session receives them.
        passes: &'a Passes,
        here: ScopeId,
    },
}

/// Sightings, each canary once a channel and way of writing.
struct Collected<'a> {
    keep: Own<'a>,
    own: Vec<Seen>,
    foreign: Vec<Seen>,
    /// Others' of rounds and runs before.
    former: Vec<Seen>,
    /// Own canaries that were not wanted: they say something only if those that were wanted are missing.
    strays: Vec<Seen>,
    /// Canaries of colleagues that the receiver may see.
    shared: Vec<Seen>,
    plan: &'a Plan,
    known: HashSet<(Channel, CanaryId, Vec<Encoding>)>,
    /// The same of secrets of accounts.
    secrets: HashSet<(Channel, u32, Vec<Encoding>)>,
    dropped: u32,
}

impl<'a> Observer<'a> {
    /// `wants_json`: whether something will be captured from it.
    pub(crate) fn new(plan: &'a Plan, lens: &'a Lens, receiver: &'a Principal, own: Own<'a>, wants_json: bool) -> Self {
        let wanted = wants_json || !plan.identities.is_empty();
        let json = if wanted { Json::Bytes(Vec::new()) } else { Json::NotWanted };
        let seen = Collected {
            keep: own,
            own: vec![],
            foreign: vec![],
            former: vec![],
            strays: vec![],
            shared: vec![],
            plan,
            known: HashSet::new(),
            secrets: HashSet::new(),
            dropped: 0,
        };
        Self {
            plan,
            lens,
            receiver,
            seen,
            body: None,
            unpacker: None,
            inner: None,
            message: None,
            json,
            cut_off: vec![],
            measure: None,
            shaper: (plan.shapes == Shapes::Told).then(Shaper::new),
            earlier: vec![],
            open_tables: vec![],
            astray: vec![],
        }
    }

    /// Measures the body as well, without what it quotes of an id.
    pub(crate) fn measuring(self, id: Option<String>) -> Self {
        Self { measure: id.map(Measure::new), ..self }
    }

    /// What was measured, unless the body was too long for it.
    pub(crate) fn measured(&self) -> Option<(u64, u32)> {
        self.measure.as_ref().and_then(Measure::result)
    }

    /// What its JSON is made of, where that is asked for.
    pub(crate) fn shape(&self) -> Option<u16> {
        self.shaper.as_ref().and_then(Shaper::shape)
    }

    /// The reason phrase of an answer.
    pub(crate) fn status_line(&mut self, reason: &[u8]) {
        self.whole(Channel::StatusLine, reason);
    }

    /// Header or trailer fields, looked at as one text.
    pub(crate) fn fields(&mut self, channel: Channel, fields: &HeaderMap) {
        let mut text = Vec::with_capacity(256);
        for (name, value) in fields {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        self.whole(channel, &text);
    }

    /// What the head of an answer says of how its body is packed.
    pub(crate) fn content(&mut self, fields: &HeaderMap) {
        let Some(unpacker) = Unpacker::of(fields) else { return };
        self.body = Some(match unpacker.encoding() {
            Encoding::Brotli => self.lens.detector.scanner_unpacking(Encoding::Brotli),
            _ => self.lens.detector.scanner(),
        });
        self.inner = (!unpacker.is_known_to_scanner()).then(|| self.lens.detector.scanner());
        self.unpacker = Some(unpacker);
    }

    /// Bytes that came at once: a frame, a close reason.
    pub(crate) fn whole(&mut self, channel: Channel, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (sightings, summary) = self.lens.detector.scan_all(bytes);
        self.note_cuts(&summary);
        self.seen.add(channel, sightings, self.plan, self.receiver);
    }

    /// A value of a store. What stands around a sighting in it is of no use to a reader; the place where it is stored is.
    pub(crate) fn stored(&mut self, place: &str, value: &[u8]) {
        let (mut sightings, summary) = self.lens.detector.scan_all(value);
        for sighting in &mut sightings {
            place.clone_into(&mut sighting.context);
        }
        self.note_cuts(&summary);
        self.seen.add(Channel::Store, sightings, self.plan, self.receiver);
    }

    /// A value of a store under a key that does not name the receiver: of what is the receiver's own it is kept that it lies there. The rest
    /// is for those to find whose it is.
    pub(crate) fn stored_astray(&mut self, place: &str, value: &[u8]) {
        let (mut sightings, summary) = self.lens.detector.scan_all(value);
        self.note_cuts(&summary);
        sightings.retain_mut(|sighting| {
            place.clone_into(&mut sighting.context);
            let Found::Canary { id, strength: Strength::Exact } = sighting.found else { return false };
            let is_own = self.plan.is_self(self.receiver.id, id.owner.into());
            let astray = Astray { canary: id, place: place.to_owned() };
            if is_own && self.astray.len() < ASTRAY_MAX && !self.astray.contains(&astray) {
                self.astray.push(astray);
            }
            is_own
        });
        self.seen.add(Channel::Store, sightings, self.plan, self.receiver);
    }

    /// The end of a log: of what is the receiver's own it is kept where it stands first. The rest is for those to find whose it is.
    pub(crate) fn logged(&mut self, bytes: &[u8], place: impl Fn(u64) -> String) {
        let (sightings, summary) = self.lens.detector.scan_all(bytes);
        self.note_cuts(&summary);
        for sighting in sightings {
            let Found::Canary { id, strength: Strength::Exact } = sighting.found else { continue };
            let is_known = self.astray.iter().any(|astray| astray.canary == id);
            if !is_known && self.astray.len() < ASTRAY_MAX && self.plan.is_self(self.receiver.id, id.owner.into()) {
                self.astray.push(Astray { canary: id, place: place(sighting.offset) });
            }
        }
    }

    /// Whether a secret of anybody stands in it.
    pub(crate) fn holds_secret(&self, text: &[u8]) -> bool {
        !self.lens.detector.scan_all(text).0.is_empty()
    }

    /// Tables of a store that show everything.
    pub(crate) fn open_tables(&mut self, tables: Vec<OpenTable>) {
        self.open_tables = tables;
    }

    /// The next bytes of the body.
    pub(crate) fn body(&mut self, chunk: &[u8]) {
        let mut sightings = Vec::new();
        self.body.get_or_insert_with(|| self.lens.detector.scanner()).feed(chunk, &mut sightings);
        self.seen.add(Channel::Body, sightings, self.plan, self.receiver);
        match self.unpacker.take() {
            None => self.read(chunk),
            Some(unpacker) => self.unpack(unpacker, chunk),
        }
    }

    /// The next bytes of the body for those who read it.
    fn read(&mut self, chunk: &[u8]) {
        self.json.push(chunk);
        if let Some(measure) = &mut self.measure {
            measure.push(chunk);
        }
        if let Some(shaper) = &mut self.shaper {
            shaper.push(chunk);
        }
    }

    fn unpack(&mut self, mut unpacker: Unpacker, chunk: &[u8]) {
        let is_read = self.measure.is_some() || self.shaper.is_some() || matches!(self.json, Json::Bytes(_));
        if self.inner.is_none() && !is_read {
            self.unpacker = Some(unpacker);
            return;
        }
        let mut unpacked = vec![];
        let outcome = unpacker.feed(chunk, &mut unpacked);
        self.read(&unpacked);
        if let Some(inner) = &mut self.inner {
            let mut sightings = Vec::new();
            inner.feed(&unpacked, &mut sightings);
            self.seen.add(Channel::Body, sightings, self.plan, self.receiver);
        }
        match outcome {
            Ok(()) => self.unpacker = Some(unpacker),
            Err(reason) => {
                self.cut(CutOff::Scan { encoding: unpacker.encoding(), reason });
                // What stands behind it is not what anybody was meant to read.
                (self.json, self.measure, self.shaper) = (Json::NotWanted, None, None);
            }
        }
    }

    /// It could not be looked at.
    pub(crate) fn cut(&mut self, cut_off: CutOff) {
        if !self.cut_off.contains(&cut_off) {
            self.cut_off.push(cut_off);
        }
    }

    /// The next bytes of a message that comes in pieces, all through one channel.
    pub(crate) fn message(&mut self, channel: Channel, chunk: &[u8]) {
        let mut sightings = Vec::new();
        let (_, scanner) = self.message.get_or_insert_with(|| (channel, self.lens.detector.scanner()));
        scanner.feed(chunk, &mut sightings);
        self.seen.add(channel, sightings, self.plan, self.receiver);
    }

    /// What the message says, once it is unwrapped; its bytes have been looked at before.
    pub(crate) fn message_data(&mut self, data: &[u8]) {
        self.json.push(data);
    }

    /// The message is too long to be unwrapped.
    pub(crate) fn message_is_too_long(&mut self) {
        self.json = Json::TooLong;
    }

    /// The answer is whole, and another one follows, which is looked at by itself.
    pub(crate) fn next_answer(&mut self) {
        self.end_body();
        let json = if matches!(self.json, Json::NotWanted) { Json::NotWanted } else { Json::Bytes(vec![]) };
        let (read, _) = self.read_json();
        let identities = read.map(|read| self.identities(&read)).unwrap_or_default();
        self.earlier.extend(identities);
        self.json = json;
        self.measure = self.measure.take().map(Measure::anew);
        self.shaper = self.shaper.take().map(|_| Shaper::new());
    }

    fn end_body(&mut self) {
        self.unpacker = None;
        for scanner in [self.body.take(), self.inner.take()].into_iter().flatten() {
            let mut sightings = Vec::new();
            let summary = scanner.finish(&mut sightings);
            self.note_cuts(&summary);
            self.seen.add(Channel::Body, sightings, self.plan, self.receiver);
        }
    }

    /// Everything that came has been seen: the facts, and the JSON if it is some and somebody wants it.
    pub(crate) fn finish(self) -> (Receipt, Option<Value>) {
        let (receipt, json, _) = self.finish_with_body();
        (receipt, json)
    }

    /// The same, and the body, as far as it was kept.
    pub(crate) fn finish_with_body(mut self) -> (Receipt, Option<Value>, Vec<u8>) {
        self.end_body();
        if let Some((channel, scanner)) = self.message.take() {
            let mut sightings = Vec::new();
            let summary = scanner.finish(&mut sightings);
            self.note_cuts(&summary);
            self.seen.add(channel, sightings, self.plan, self.receiver);
        }
        let (json, kept) = self.read_json();
        let mut identities = std::mem::take(&mut self.earlier);
        identities.extend(json.as_ref().map(|json| self.identities(json)).unwrap_or_default());
        self.seen.settle();
        let mut seen = self.seen.foreign;
        seen.append(&mut self.seen.former);
        seen.append(&mut self.seen.shared);
        seen.append(&mut self.seen.own);
        let (open_tables, astray) = (self.open_tables, self.astray);
        let (seen_dropped, cut_off) = (self.seen.dropped, self.cut_off);
        let receipt = Receipt { seen, seen_dropped, identities, cut_off, open_tables, astray, ..Receipt::default() };
        (receipt, json, kept)
    }

    /// Only what was left out on purpose: bytes that begin like an archive and are none are no loss.
    fn note_cuts(&mut self, summary: &ScanSummary) {
        for cut in summary.cuts.iter().filter(|cut| cut.reason != CutReason::Broken) {
            self.cut(CutOff::Scan { encoding: cut.encoding, reason: cut.reason });
        }
    }

    fn read_json(&mut self) -> (Option<Value>, Vec<u8>) {
        match std::mem::replace(&mut self.json, Json::NotWanted) {
            Json::NotWanted => (None, vec![]),
            Json::Bytes(bytes) => (json_of(&bytes), bytes),
            Json::TooLong => {
                self.cut_off.push(CutOff::Json { bytes_max: JSON_BYTES_MAX as u64 });
                (None, vec![])
            }
        }
    }

    fn identities(&mut self, json: &Value) -> Vec<IdentityFact> {
        let mut facts = Vec::new();
        for (index, rule) in self.plan.identities.iter().enumerate() {
            let rule_index = u16::try_from(index).expect("a scenario has fewer than 65,536 identity rules");
            for value in self.lens.paths.get(&rule.path).query(json).all() {
                let fact = IdentityFact { rule: rule_index, value: Digest::of(&self.lens.digest_key, value) };
                if !value.is_null() && !facts.contains(&fact) {
                    facts.push(fact);
                }
            }
        }
        if facts.len() > IDENTITIES_MAX as usize {
            self.cut_off.push(CutOff::Identities { kept: IDENTITIES_MAX });
            facts.truncate(IDENTITIES_MAX as usize);
        }
        facts
    }
}

/// Who the principal is by each identity rule whose value is an attribute or was captured in its session.
pub(crate) fn identities_of(
    plan: &Plan,
    lens: &Lens,
    board: &crate::board::Board,
    who: &Principal,
) -> Vec<IdentityFact> {
    let value_of = |mine: Mine| match mine {
        Mine::Attribute(slot) => who.attributes.get(usize::from(slot)).map(|text| Value::from(text.as_str())),
        Mine::Variable { flow: coalmine_core::plan::FlowId::SESSION, slot } => {
            board.get(plan.session_scope(who.id), slot)
        }
        Mine::Variable { .. } => None,
    };
    let rules = (0u16..).zip(&plan.identities);
    let facts = rules.filter_map(|(rule, identity)| {
        let value = Digest::of(&lens.digest_key, &value_of(identity.mine)?);
        Some(IdentityFact { rule, value })
    });
    facts.collect()
}

impl Json {
    fn push(&mut self, chunk: &[u8]) {
        match self {
            Self::Bytes(bytes) if bytes.len() + chunk.len() <= JSON_BYTES_MAX => bytes.extend_from_slice(chunk),
            Self::Bytes(_) => *self = Self::TooLong,
            Self::NotWanted | Self::TooLong => {}
        }
    }
}

/// The bytes as JSON, where they are some.
pub(crate) fn json_of(bytes: &[u8]) -> Option<Value> {
    looks_like_json(bytes).then(|| serde_json::from_slice(bytes).ok()).flatten()
}

fn looks_like_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| b"{[\"-0123456789tfn".contains(first))
}

impl Collected<'_> {
    fn add(&mut self, channel: Channel, sightings: Vec<Sighting>, plan: &Plan, receiver: &Principal) {
        for sighting in sightings {
            if let Found::Canary { id, .. } = sighting.found {
                let own = plan.is_self(receiver.id, id.owner.into());
                if !self.known.insert((channel, id, sighting.encodings.clone())) {
                    continue;
                }
                if own {
                    self.add_own(id, Seen { channel, sighting });
                    continue;
                }
                if self.is_shared(id, receiver) {
                    self.add_shared(Seen { channel, sighting });
                    continue;
                }
            }
            if let Found::Dictionary { entry } = sighting.found {
                self.add_secret(entry, receiver, Seen { channel, sighting });
                continue;
            }
            self.add_foreign(Seen { channel, sighting });
        }
    }

    /// A secret of somebody's account. Around it may stand the rest of it.
    fn add_secret(&mut self, entry: u32, receiver: &Principal, mut seen: Seen) {
        let is_own = self.plan.sought.get(entry as usize).is_some_and(|sought| sought.tenant == receiver.tenant);
        if !is_own && self.secrets.insert((seen.channel, entry, seen.sighting.encodings.clone())) {
            seen.sighting.context = String::new();
            self.add_foreign(seen);
        }
    }

    fn add_own(&mut self, id: CanaryId, seen: Seen) {
        let room = self.own.len() < OWN_SEEN_MAX;
        let kept = match self.keep {
            Own::All => room,
            Own::Only { wanted, .. } if wanted.contains(&id) => true,
            Own::Only { passes, here, .. } if passes.is_of_another(id, here) => {
                self.dropped += u32::from(!room);
                room
            }
            Own::Only { .. } => false,
        };
        if kept {
            self.own.push(seen);
        } else if self.strays.len() < STRAY_SEEN_MAX {
            self.strays.push(seen);
        }
    }

    /// Whether it is a colleague's and belongs to their tenant, or the receiver's role sees it. Wanted ones are none of these.
    fn is_shared(&self, id: CanaryId, receiver: &Principal) -> bool {
        let Own::Only { wanted, passes, .. } = self.keep else { return false };
        let Some(owner) = self.plan.principal(id.owner.into()).filter(|_| !wanted.contains(&id)) else { return false };
        self.plan.sharing.by_role(receiver, owner) || owner.tenant == receiver.tenant && passes.is_of_tenant(id)
    }

    fn add_shared(&mut self, seen: Seen) {
        if self.shared.len() < SHARED_SEEN_MAX {
            self.shared.push(seen);
        }
    }

    /// Strays are kept where something else was wanted and did not come.
    fn settle(&mut self) {
        let Own::Only { wanted, .. } = self.keep else { return };
        let is_wanted = |seen: &Seen| matches!(seen.sighting.found, Found::Canary { id, .. } if wanted.contains(&id));
        if !wanted.is_empty()
            && !self.own.iter().chain(&self.foreign).chain(&self.former).chain(&self.shared).any(is_wanted)
        {
            self.own.append(&mut self.strays);
        }
    }

    fn add_foreign(&mut self, seen: Seen) {
        let is_former = match seen.sighting.found {
            Found::Canary { id, .. } => self.plan.principal(id.owner.into()).is_none(),
            Found::Residue { .. } => true,
            Found::Dictionary { .. } => false,
        };
        let (kept, max) =
            if is_former { (&mut self.former, FORMER_SEEN_MAX) } else { (&mut self.foreign, FOREIGN_SEEN_MAX) };
        if kept.len() < max {
            kept.push(seen);
        } else {
            self.dropped += 1;
        }
    }
}
