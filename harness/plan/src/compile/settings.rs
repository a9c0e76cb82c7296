//! What does not belong to a flow: target, tenants, policy; and values that stand in many places.

use coalmine_core::plan::{Compression, HttpVersion, Policy, Tls};
use coalmine_core::verdict::OracleId;

use super::accounts;
use super::population::TenantAttribute;
use super::transport;
use crate::accounts::Accounts;
use crate::document::{Either, PolicyText, TargetText, TenantsText, UserText};
use crate::hole::{self, Piece};
use crate::problem::Problems;
use crate::source::ReadFile;
use crate::span::{Span, Spanned};
use crate::target::BaseUrl;
use crate::{suggestion, time_limit};

const READY_LIMIT_DEFAULT_MS: u64 = 10_000;
const TENANTS_DEFAULT: u32 = 8;
pub(crate) const TENANTS_MAX: u32 = 100_000;
const FRESH_MAX: u32 = 1_000;
const USERS_MAX: u32 = 10_000;
const SESSIONS_MAX: u32 = 1_000;
const PROBES_DEFAULT: u32 = 2;
const PROBES_MAX: u32 = 64;
const OVERLAP_MAX: u32 = 1_000;

/// Where the traffic goes, as far as the scenario says.
#[derive(Clone, Debug)]
pub(crate) struct TargetSettings {
    pub(crate) url: Option<BaseUrl>,
    pub(crate) hosts: Vec<String>,
    pub(crate) ready_path: Option<String>,
    pub(crate) ready_limit_ms: u64,
    pub(crate) host_header: Option<String>,
    pub(crate) compression: Compression,
    pub(crate) http: HttpVersion,
    pub(crate) tls: Tls,
}

/// How many act, and what they are called.
#[derive(Clone, Debug)]
pub(crate) struct Tenants {
    pub(crate) count: u32,
    /// How many more there are that make nothing.
    pub(crate) fresh: u32,
    /// Users of each, with their roles; where accounts come from a file, each role once.
    pub(crate) users: Vec<Option<String>>,
    /// So many tenants have all of them; in the others the first is alone.
    pub(crate) users_in: u32,
    /// Those who exist already and act instead of such as are made up.
    pub(crate) accounts: Option<Accounts>,
    /// Sessions of each user.
    pub(crate) sessions: u32,
    /// What else tenants are.
    pub(crate) attributes: Vec<TenantAttribute>,
    pub(crate) name: Vec<NamePiece>,
}

/// A piece of a tenant's name.
#[derive(Clone, Debug)]
pub(crate) enum NamePiece {
    Text(String),
    TenantIndex,
    RunId,
}

pub(super) fn title(written: &Spanned<String>, problems: &Problems<'_>) -> String {
    const TITLE_MAX: usize = 200;
    let name = written.value.trim();
    if name.is_empty() || name.len() > TITLE_MAX || name.chars().any(char::is_control) {
        problems.add(written.span, format!("a scenario's name is one line of 1 to {TITLE_MAX} bytes"), None);
    }
    name.to_owned()
}

/// The path as it is written, after a check that it is one (RFC 9535).
pub(super) fn json_path(written: &Spanned<String>, problems: &Problems<'_>) -> String {
    if let Err(error) = serde_json_path::JsonPath::parse(written.as_str()) {
        let help = "write one such as `$.id`, `$..user_id` or `$.items[0].id` (RFC 9535)".to_owned();
        let path = problems.locate(written.as_str(), written.span);
        let start = path.start + error.position().min(path.end - path.start);
        let message = format!("`{}` is not a JSONPath", written.value);
        problems.add(problems.whole_characters(Span { start, end: path.end }), message, Some(help));
    }
    written.value.clone()
}

pub(super) fn duration_ms(written: &Spanned<String>, problems: &Problems<'_>) -> u64 {
    time_limit::parse_ms(written.as_str()).unwrap_or_else(|message| {
        problems.add(written.span, message, Some("write one such as `250ms`, `10s` or `2m`".to_owned()));
        0
    })
}

pub(super) fn target(written: &TargetText, problems: &Problems<'_>) -> TargetSettings {
    let hosts: Vec<String> = written.hosts.iter().map(|host| host.value.to_ascii_lowercase()).collect();
    let url = written.url.as_ref().and_then(|url| base_url(url, &hosts, problems));
    if let Some(ready) = written.ready.as_ref().filter(|ready| !is_plain_path(ready.as_str())) {
        problems.add(
            ready.span,
            "this is not a path",
            Some("a path begins with `/`; holes are not filled here".to_owned()),
        );
    }
    TargetSettings {
        url,
        hosts,
        ready_path: written.ready.as_ref().map(|ready| ready.value.clone()),
        ready_limit_ms: written.ready_within.as_ref().map_or(READY_LIMIT_DEFAULT_MS, |it| duration_ms(it, problems)),
        host_header: written.host_header.as_ref().map(|name| transport::host_header(name, problems)),
        compression: written.compression.as_ref().map_or(Compression::On, |compression| compression.value),
        http: written.http.as_ref().map_or_else(HttpVersion::default, |http| http.value),
        tls: transport::tls(&written.tls, problems),
    }
}

fn is_plain_path(text: &str) -> bool {
    text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && !"{}#".contains(c))
}

fn base_url(written: &Spanned<String>, hosts: &[String], problems: &Problems<'_>) -> Option<BaseUrl> {
    let url = match BaseUrl::parse(written.as_str()) {
        Ok(url) => url,
        Err(error) => {
            problems.add(written.span, error.to_string(), Some("write one such as `http://127.0.0.1:8080`".to_owned()));
            return None;
        }
    };
    if !url.may_be_reached(hosts) {
        let help = format!("traffic goes to loopback only, unless the host is listed: `hosts: [{}]`", url.host());
        problems.absent(written.span, format!("the host `{}` is not listed", url.host()), Some(help));
    }
    Some(url)
}

pub(super) fn tenants(
    written: Option<&Either<Spanned<u32>, TenantsText>>,
    problems: &Problems<'_>,
    read: &mut ReadFile<'_>,
) -> Tenants {
    let (count, users, name, sessions) = match written {
        None => (None, None, None, None),
        Some(Either::Short(count)) => (Some(count), None, None, None),
        Some(Either::Long(long)) => {
            (long.count.as_ref(), long.users.as_ref(), long.name.as_ref(), long.sessions.as_ref())
        }
    };
    let accounts = match written {
        Some(Either::Long(long)) => accounts::read(long, problems, read),
        _ => None,
    };
    let (fresh, users_in) = match written {
        Some(Either::Long(long)) => (long.fresh.as_ref(), long.users_in.as_ref()),
        _ => (None, None),
    };
    if let Some(fresh) = fresh.filter(|_| accounts.is_some()) {
        let help = "leave it out: whoever exists already may have made something".to_owned();
        problems.add(fresh.span, "no account of a file is fresh", Some(help));
    }
    let count_default = accounts.as_ref().map_or(TENANTS_DEFAULT, accounts::count);
    let count = bounded(count, count_default, 1..=TENANTS_MAX, "tenants", problems);
    let users = accounts.as_ref().map_or_else(|| self::users(users, problems), Accounts::roles);
    if let Some(users_in) = users_in.filter(|_| accounts.is_some() || users.len() < 2) {
        let help = "leave it out, or give the tenants several `users`".to_owned();
        problems.add(users_in.span, "no tenant that is made up has several users", Some(help));
    }
    Tenants {
        count,
        fresh: bounded(fresh, 0, 0..=FRESH_MAX, "fresh tenants", problems),
        users,
        users_in: bounded(users_in, TENANTS_MAX, 1..=TENANTS_MAX, "tenants with all users", problems),
        accounts,
        sessions: bounded(sessions, 1, 1..=SESSIONS_MAX, "sessions", problems),
        attributes: vec![],
        name: name.map_or_else(default_name, |name| tenant_name(name, problems)),
    }
}

fn users(
    written: Option<&Either<Spanned<u32>, Spanned<Vec<UserText>>>>,
    problems: &Problems<'_>,
) -> Vec<Option<String>> {
    match written {
        Some(Either::Long(users)) => {
            let each = |user: &UserText| {
                let role = user.role.as_ref().map(|role| role.value.clone());
                let count = bounded(user.count.as_ref(), 1, 1..=USERS_MAX, "users", problems).min(USERS_MAX);
                vec![role; count as usize]
            };
            let people: Vec<_> = users.value.iter().take(USERS_MAX as usize).flat_map(each).collect();
            let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
            bounded(Some(&users.with(count)), 1, 1..=USERS_MAX, "users", problems);
            people
        }
        Some(Either::Short(count)) => {
            vec![None; bounded(Some(count), 1, 1..=USERS_MAX, "users", problems).min(USERS_MAX) as usize]
        }
        None => vec![None],
    }
}

fn default_name() -> Vec<NamePiece> {
    vec![
        NamePiece::Text("tenant-".to_owned()),
        NamePiece::TenantIndex,
        NamePiece::Text("-".to_owned()),
        NamePiece::RunId,
    ]
}

fn tenant_name(written: &Spanned<String>, problems: &Problems<'_>) -> Vec<NamePiece> {
    let mut pieces = vec![];
    for piece in hole::split(written.as_str()).unwrap_or_default() {
        pieces.push(match piece {
            Piece::Text(text) => NamePiece::Text(text.to_owned()),
            Piece::Hole(hole) if hole.name == "tenant.index" => NamePiece::TenantIndex,
            Piece::Hole(hole) if hole.name == "run.id" => NamePiece::RunId,
            Piece::Hole(hole) => {
                let help = suggestion::help(hole.name, ["tenant.index", "run.id"]);
                problems.add(written.span, format!("`{}` is not known here", hole.name), help);
                continue;
            }
        });
    }
    if !pieces.iter().any(|piece| matches!(piece, NamePiece::TenantIndex)) {
        let help = "put `{{tenant.index}}` into it".to_owned();
        problems.add(written.span, "all tenants would have the same name", Some(help));
    }
    pieces
}

pub(super) fn policy(written: &PolicyText, problems: &Problems<'_>) -> (Policy, u32) {
    let default = Policy::default();
    let percent = |it: &Option<Spanned<u32>>, default: u8, what| {
        let value = bounded(it.as_ref(), default.into(), 0..=100, what, problems);
        u8::try_from(value).unwrap_or(default)
    };
    let pairs = percent(&written.overlap_pairs_percent, default.overlap_pairs_min_percent, "percent");
    let asked = oracles(written, problems);
    let policy = Policy {
        overlap_min: bounded(written.overlap.as_ref(), default.overlap_min, 0..=OVERLAP_MAX, "overlaps", problems),
        overlap_pairs_min_percent: pairs,
        ok_min_percent: percent(&written.ok_percent, default.ok_min_percent, "percent"),
        caching: written.caching,
        oracles_off: asked.off,
        oracles_on: asked.on,
        oracles_warn: asked.warn,
        passes_min_percent: percent(&written.passes_percent, 0, "percent"),
        unsent_max: written.unsent.as_ref().map(|unsent| unsent.value),
        protected: None,
        leak_rate_max_ppm: written.leak_rate.as_ref().map_or(0, |rate| leak_rate_ppm(rate, problems)),
    };
    (policy, bounded(written.probes.as_ref(), PROBES_DEFAULT, 0..=PROBES_MAX, "probes", problems))
}

/// A percentage such as `0.1%`, in millionths.
fn leak_rate_ppm(written: &Spanned<String>, problems: &Problems<'_>) -> u32 {
    let percent = written.as_str().trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match percent {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        Some(percent) if (0.0001..=100.0).contains(&percent) => (percent * 10_000.0).round() as u32,
        _ => {
            let help = "write a percentage from 0.0001% to 100%, such as `0.1%`".to_owned();
            problems.add(written.span, format!("`{}` is not a leak rate", written.value), Some(help));
            0
        }
    }
}

/// What is said of the oracles.
#[derive(Default)]
struct Asked {
    off: Vec<OracleId>,
    on: Vec<OracleId>,
    warn: Vec<OracleId>,
}

fn oracles(written: &PolicyText, problems: &Problems<'_>) -> Asked {
    let mut asked = Asked::default();
    for (name, state) in &written.oracles.0 {
        let oracle = OracleId::ALL.into_iter().find(|oracle| oracle.name() == name.value);
        let is_opt_in = oracle.is_some_and(OracleId::is_opt_in);
        let is_weighed = oracle.is_some_and(|oracle| oracle.is_opt_in() || oracle.is_advice());
        if oracle.is_none() {
            let help = suggestion::help(name.as_str(), OracleId::ALL.map(OracleId::name));
            problems.add(name.span, format!("there is no oracle `{}`", name.value), help);
        }
        match state.as_str() {
            "on" | "true" if is_weighed => asked.on.extend(oracle),
            "warn" if is_weighed => asked.warn.extend(oracle),
            "off" | "false" if is_opt_in => {}
            "off" | "false" => asked.off.extend(oracle),
            other if is_weighed => {
                let help = "with `warn` what it finds is a note; with `on` it is a violation".to_owned();
                let message = format!("`{}` is `on`, `warn` or `off`, not `{other}`", name.value);
                problems.add(state.span, message, Some(help));
            }
            "on" | "true" => {}
            other => problems.add(state.span, format!("an oracle is `on` or `off`, not `{other}`"), None),
        }
    }
    asked
}

pub(super) fn bounded(
    written: Option<&Spanned<u32>>,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
    what: &str,
    problems: &Problems<'_>,
) -> u32 {
    let Some(written) = written else { return default };
    if !range.contains(&written.value) {
        let message = format!("{} {what}: there may be {} to {}", written.value, range.start(), range.end());
        problems.add(written.span, message, None);
    }
    written.value
}
