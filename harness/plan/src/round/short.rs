//! Short sessions: some users make one more session while their own goes on, look at what is theirs, listen, end it or make it anew, and
//! look again with what it showed itself by until then.

use std::collections::BTreeSet;

use coalmine_core::perturb::{Manner, Start};
use coalmine_core::plan::{FlowId, Lane, Logout, Op, OpId, Part, Purpose, ScopeId, Voiding};
use coalmine_core::step::{Action, Step, StepId};
use coalmine_core::template::{Level, Segment, VariableRef};
use coalmine_core::{Principal, PrincipalId};

use super::room::Rooms;
use super::stage::Todo;
use crate::compile::Compiled;
use crate::draw::Draw;

/// Users who have one in a round.
const SESSIONS_MAX: u32 = 4;
/// What each of them reads, and to how many streams of events it listens.
const READS_MAX: usize = 4;
const LINES_MAX: usize = 2;
/// It begins when its user is through such a part of its own lane: then there is something to read, and more to come.
const BEGINS_AFTER_PERMILLE: usize = 250;
/// How long the reads after the end wait, one after another: a service may take a moment to forget a session.
const WAITS_US: [u32; 3] = [0, 100_000, 300_000];

/// Operations of one of them at most, besides the steps that make and end it.
pub(super) const OPS_MAX_EACH: u64 = (LINES_MAX + READS_MAX * (1 + WAITS_US.len())) as u64;

/// A lane beside another of the same principal.
pub(super) struct Session {
    pub(super) principal: PrincipalId,
    /// An operation of the other lane.
    pub(super) after: OpId,
    pub(super) todos: Vec<Todo>,
}

/// Sessions beside the lanes of some who make something; none where it is not known how a session ends.
pub(super) fn sessions(compiled: &Compiled, lanes: &[Lane], rooms: &mut Rooms<'_>, draw: &mut Draw) -> Vec<Session> {
    let first = rooms.people().all().first().map_or(0, |principal: &Principal| principal.id.0);
    let makers = rooms.people().makers();
    let place = |lane: &Lane| (lane.principal.0 - first) as usize;
    let mut left: Vec<&Lane> = lanes.iter().filter(|lane| place(lane) < makers).collect();
    let mut sessions = vec![];
    for end in ends(compiled) {
        let drawn = draw.distinct_below(u32::try_from(left.len()).unwrap_or(u32::MAX), SESSIONS_MAX);
        let drawn: Vec<&Lane> = drawn.into_iter().map(|nth| left[nth as usize]).collect();
        sessions.extend(drawn.iter().filter_map(|lane| beside((compiled, end), lane, place(lane), rooms)));
        // A login may end what another session of the user goes by.
        if drawn.len() < left.len() {
            left.retain(|lane| drawn.iter().all(|taken| taken.principal != lane.principal));
        }
    }
    sessions
}

/// A session beside a lane, if there is something to look at.
fn beside((compiled, end): (&Compiled, End), lane: &Lane, place: usize, rooms: &mut Rooms<'_>) -> Option<Session> {
    let own = rooms.pass(place, FlowId::SESSION, 0);
    let done = &lane.ops[..lane.ops.len() * BEGINS_AFTER_PERMILLE / 1000];
    let last = done.last()?;
    let course = Course { compiled, end, own, session: rooms.idle(place, FlowId::SESSION) };
    let (reads, lines) = (course.reads(done), course.lines(done));
    if reads.is_empty() && lines.is_empty() {
        return None;
    }
    Some(Session { principal: lane.principal, after: last.id, todos: course.todos(&reads, &lines) })
}

/// How a session ends.
#[derive(Clone, Copy)]
enum End<'a> {
    /// It is ended.
    Logout(&'a Logout),
    /// It is made anew, and what it showed itself by before is void.
    Renewal(&'a Voiding),
}

impl<'a> End<'a> {
    fn login(self) -> &'a [StepId] {
        match self {
            Self::Logout(logout) => &logout.login,
            Self::Renewal(voiding) => &voiding.login,
        }
    }

    fn steps(self) -> (&'a [StepId], Part) {
        match self {
            Self::Logout(logout) => (&logout.steps, Part::Logout),
            Self::Renewal(voiding) => (&voiding.renew, Part::Renew),
        }
    }
}

fn ends(compiled: &Compiled) -> impl Iterator<Item = End<'_>> {
    compiled.logout.iter().map(End::Logout).chain(compiled.voiding.iter().map(End::Renewal))
}

/// What one of them is made of.
struct Course<'a> {
    compiled: &'a Compiled,
    end: End<'a>,
    /// The user's own session, whose canaries it sends as well.
    own: ScopeId,
    /// Where what the short session captures lives.
    session: ScopeId,
}

impl Course<'_> {
    fn todos(&self, reads: &[&Op], lines: &[&Op]) -> Vec<Todo> {
        let mut todos = vec![];
        let (ending, part) = self.end.steps();
        todos.extend(self.end.login().iter().map(|step| Todo::plain(*step, self.own, self.purpose(Part::Login))));
        todos.extend(lines.iter().map(|op| Todo::plain(op.step, op.scope, self.purpose(Part::Listen))));
        todos.extend(reads.iter().map(|op| Todo::plain(op.step, op.scope, self.purpose(Part::Before))));
        todos.extend(ending.iter().map(|step| Todo::plain(*step, self.own, self.purpose(part))));
        for delay_us in WAITS_US {
            for (nth, op) in reads.iter().enumerate() {
                let start = if nth == 0 && delay_us > 0 { Start::After { delay_us } } else { Start::AtOnce };
                let manner = Manner { start, ..Manner::default() };
                todos.push(Todo { manner, ..Todo::plain(op.step, op.scope, self.purpose(Part::After)) });
            }
        }
        todos
    }

    fn purpose(&self, part: Part) -> Purpose {
        Purpose::Short { session: self.session, part }
    }

    /// Reads that are done by then, of each address one, the latest first: what they show is there.
    fn reads<'o>(&self, done: &'o [Op]) -> Vec<&'o Op> {
        let mut known = BTreeSet::new();
        let able = done.iter().rev().filter(|op| op.purpose.is_flow() && self.shows_end(op) && is_read(self.step(op)));
        able.filter(|op| known.insert(self.step(op).route())).take(READS_MAX).collect()
    }

    /// Openings of what brings events, each address once.
    fn lines<'o>(&self, done: &'o [Op]) -> Vec<&'o Op> {
        let mut known = BTreeSet::new();
        let is_ended = matches!(self.end, End::Logout(_));
        let able = done.iter().filter(|op| op.purpose.is_flow() && self.shows_session(op) && is_line(self.step(op)));
        // What was opened before a session was made anew may stay open.
        able.filter(|_| is_ended).filter(|op| known.insert(self.step(op).route())).take(LINES_MAX).collect()
    }

    /// A link that is good by itself is good after the session, too.
    fn shows_session(&self, op: &Op) -> bool {
        !self.compiled.without_auth.contains(&op.step)
    }

    /// Where nothing but captured values becomes void, it shows one of those.
    fn shows_end(&self, op: &Op) -> bool {
        let End::Renewal(voiding) = self.end else { return self.shows_session(op) };
        let Action::Request(request) = &self.step(op).action else { return false };
        let steps = voiding.renew.iter().map(|step| &self.compiled.steps[usize::from(step.0)]);
        let void: Vec<VariableRef> = steps.flat_map(|step| &step.captures).map(|capture| capture.variable).collect();
        let mut shows = false;
        request.each_hole(&mut |hole| {
            let is_void = |variable| void.contains(variable) && self.compiled.credentials.contains(variable);
            shows |= matches!(hole, Segment::Variable(variable) if is_void(variable));
        });
        shows && self.shows_session(op)
    }

    fn step(&self, op: &Op) -> &Step {
        &self.compiled.steps[usize::from(op.step.0)]
    }
}

/// A request that changes nothing and shows what is the user's own.
pub(super) fn is_read(step: &Step) -> bool {
    let Action::Request(request) = &step.action else { return false };
    let is_plain = step.due.is_empty() && step.group.is_none() && step.until.is_none();
    let shows = !step.sees.is_empty() && step.public.is_none();
    request.method == "GET" && is_plain && shows && step.sends().is_empty()
}

/// Something that needs nothing of its pass, sends no secrets, and is no continuation of another.
fn is_line(step: &Step) -> bool {
    let mut needs_pass = false;
    let mut note = |hole: &Segment| needs_pass |= !is_of_session(hole);
    match &step.action {
        Action::Open(open) => {
            open.path.each_hole(&mut note);
            open.headers.iter().chain(&open.cookies).for_each(|(_, value)| value.each_hole(&mut note));
        }
        Action::Subscribe(subscribe) if !subscribe.resume => subscribe.request.each_hole(&mut note),
        _ => return false,
    }
    step.due.is_empty() && step.group.is_none() && !needs_pass
}

/// Whether a session has it, whatever pass it goes through.
fn is_of_session(hole: &Segment) -> bool {
    match hole {
        Segment::Variable(VariableRef { level, .. }) => *level == Level::Session,
        Segment::Text(_) | Segment::Attribute(_) | Segment::Input(_) => true,
        _ => false,
    }
}
