//! Scenario text and a seed become a Plan.
//!
//! [`Scenario::parse`] reads and checks the text; [`plan()`] resolves one round of it. Both are pure: no file, no socket,
//! no clock, and no chance but the seed. Problems of the text are collected, all of them, and shown with line, caret and
//! suggestion.
//!
//! # The language
//!
//! A scenario is one YAML 1.2 document: `NO` is text, aliases and tags are refused, no key stands twice in a map, and there
//! are bounds of 1 MiB, 100,000 values and a depth of 64.
//!
//! ```yaml
//! coalmine: 1
//! name: notes
//! target: {url: http://127.0.0.1:8080, ready: /health}
//! tenants: 8
//! canaries: {email: email, body: {shape: text, may_see: user}}
//! auth:
//!   steps:
//!     - id: register
//!       post: /register
//!       json: {email: "{{canary.email}}", password: "{{user.password}}"}
//!       capture: {token: $.token, user_id: $.user.id}
//!   send: {headers: {authorization: "Bearer {{token}}"}}
//! identity:
//!   user: {field: $..user_id, mine: user_id}
//! flows:
//!   write:
//!     repeat: 5
//!     steps:
//!       - {id: add-note, post: /notes, json: {text: "{{canary.body}}"}, capture: {note: $.id}}
//!       - {id: read-note, get: "/notes/{{note}}", sees: body}
//!     cleanup:
//!       - {id: remove-note, delete: "/notes/{{note}}"}
//! objects:
//!   note: {id: note, read: read-note, delete: remove-note}
//! ```
//!
//! | key | meaning |
//! | --- | --- |
//! | `coalmine` | version of the language: 1 |
//! | `name` | what the scenario is called in reports |
//! | `include` | other files that are part of the scenario, one or several, such as a login that several scenarios share. Paths count from the file that names them and may lead upwards, but not be absolute. Maps of the same key are joined, entry by entry; anything else stands in one file only |
//! | `profiles.NAME` | what is otherwise in other surroundings, when `--profile NAME` chooses it: `target`, `tenants`, `variables`, `webhooks`, `policy`, `budget`; maps entry by entry, anything else as a whole, and `tenants: 3` means their count. Or the path of a file in which that stands |
//! | `target.url` | `http://host:port` or `https://host:port`, perhaps with a path that stands before those of all steps; the command line may override it |
//! | `target.ready`, `ready_within` | a path polled until it answers 2xx; how long that may take (`10s`) |
//! | `target.hosts` | hosts besides loopback to which traffic may go |
//! | `target.host_header` | `host` or `host:port` by which the target is called, where that is not the one in its URL: in requests, for its cookies, in links to itself, for its certificate |
//! | `target.compression` | `on` (default): requests say, as those of browsers do, that answers may come in gzip, deflate, br and zstd; `off`: they say nothing. A step's own header `accept-encoding` wins |
//! | `target.http` | `1.1` (default) or `2`: what requests and event streams are sent in, over one connection for each session; WebSockets are always opened over HTTP/1.1 |
//! | `target.tls.ca`, `name` | a file in PEM beside the scenario, with certificates that are trusted besides those of the web: of authorities, or one that the target shows itself, which is taken as it is; the name for which the target's certificate must stand, where that is not its host |
//! | `target.tls.cert`, `key` | a certificate that all connections show, and its key |
//! | `tenants` | how many (8), or a map of `count`, `users` of each (how many (1), or one by one: `[{role: LEADER}, {role: OPERATOR, count: 2}, {}]`), `users_in` (how many tenants have all these users; in the others the first is alone), `sessions` of each user (1), `fresh` (how many tenants besides make nothing: they do what says `empty_for_fresh`), `attributes` (`{tier: [free, pro]}`: values that tenants have in turn, in `{{tenant.tier}}`) and `name` (`tenant-{{tenant.index}}-{{run.id}}`) |
//! | `tenants.accounts` | a file of accounts that exist, relative to the scenario's: CSV with a header line, or a list of objects in `.json`; or a map of `file` and `open` (columns that are no secrets). Columns are `tenant`, `user`, `role` (may be missing or empty) and others, which are `{{user.COLUMN}}`; `password` takes the place of the one that is made up. Tenants may have different sizes; all of them act, or the first `count`. The same accounts act in every round, and see what they wrote in earlier ones. Secrets that are long and odd enough (16 characters and more in which digits and capitals stand among small letters; no word, address, number, date or UUID) are looked for in all that other tenants receive. Beside it there are no `users`, `name` and `register`: nothing is created under the name of somebody who exists |
//! | `canaries.NAME` | a unique secret: its shape, or a map of `shape`, what its field allows (`max_length`: so many characters; `pattern`: a regular expression, for the shape `token`, with room for 22 letters in a row) and `may_see`: `tenant` (default), `user`, `session`, `operation` (only the pass that sent it), `public` |
//! | `auth.steps` | steps that make a session, done once for each user; none: requests need no session |
//! | `register.tenant`, `register.user` | steps before all sessions, once for each tenant by its first user, then once for each user; what they capture, all sessions of the tenant or the user have; they send no canaries |
//! | `teardown.user`, `teardown.tenant` | steps at the very end, once for each user, then once for each tenant, with what `auth.send` says |
//! | `variables.NAME` | text that whoever starts the run may set, in the environment or in a file of `NAME=value` lines (`--variables FILE`): its default, or a map of `default` and `secret: true`; a secret stands in no file and no output |
//! | `values.NAME` | text or JSON with holes, put in wherever `{{NAME}}` stands; claims of a token, a month that all tenants have in common |
//! | `auth.send.headers`, `query`, `cookies` | added to each request and WebSocket of the flows; a step's own of the same name wins |
//! | `auth.cookies` | `jar` (default): each session keeps the cookies that it is given and sends them back as a browser does; `off` |
//! | `auth.renew` | what is done when a request, or the opening of a WebSocket or stream, of a session that worked is answered with 401: the `auth.steps` that make a session are sent once more, with the same canaries, and then the operation; `off`, or a map of `steps` (which of them; by default those that capture what `auth.send` needs, and what these need; all of them where it needs nothing captured, as with cookies), `status` (one or several), `at_most` (8 times for each session and round) and `voids` (`on` where what a session showed itself by before is refused from then on: some users of a shaken round make one more session beside their own, look at what is theirs, make it anew, and look again with what it had before; what is still shown is a violation. By default that may be good until it expires). What is tried at others' objects may be refused so for good reason: it renews a session once, and again only when something of the session's own has worked |
//! | `auth.logout` | steps that end a session, with what `auth.send` says; requests that plant and capture nothing. With them, some users of a shaken round make one more session beside their own, look at what is theirs, listen to events, end that session, and look again: what is still shown, or still comes, is a violation. To make one more session, the same steps are sent as for `auth.renew` |
//! | `auth.members` | with whom a user shares everything: like `flows.NAME.members` |
//! | `anonymous` | `off`, or a map of `tries` (steps of flows that somebody without credentials tries; those that read and need nothing captured), `steps` (a flow of its own, with `repeat`: requests that need no credentials). By default somebody without credentials tries to read, list and export a few objects, and the usual steps; what it sees that is not `public` is a violation. A step of which it is not certain that it carries no credential any more, as one may be part of its path or its body, is left out |
//! | `identity.NAME` | `field`: JSONPath of a field that says whose an answer is; `mine`: the variable or attribute that stands there when it is mine (`flow.variable` where several flows capture it); `may_see`: who else may stand there |
//! | `events.type` | JSONPath of the type of an event, a text or a number; on a stream of server-sent events, `event:` counts where it finds none. An event without a type is a `message`, and a binary frame of a WebSocket a `binary` |
//! | `events.regex` | which part of a text message on a WebSocket is JSON: its first group (`^\d+(.*)$` where a number stands before it) |
//! | `webhooks.listen`, `public_url` | address and port on which webhooks are received (`127.0.0.1:0`, a free port of loopback), and `http://host:port` as the target reaches it, where that differs |
//! | `webhooks.credential` | `header: NAME` or `field: JSONPATH`: what the target shows in a webhook; `mine`: what stands there in webhooks for me, made of values of the session |
//! | `flows.NAME.repeat` | how often each user goes through the flow (1); passes of all flows are mixed, none is split |
//! | `flows.NAME.by` | roles of those who go through it (all) |
//! | `flows.NAME.members.WORD` | one with whom each pass shares what it makes, drawn by the plan: `colleague` (another user of the tenant) or `partner` (a user of one fixed other tenant), or a map of `who`, `role`, `sees` (canaries; all of the pass) and `scope`: the `user` (default), its `tenant`, the `session` |
//! | `flows.NAME.visits.WORD` | requests of that member, when all are through the flows: they use what the pass has captured, and `sees` names the pass's canaries |
//! | `flows.NAME.steps`, `cleanup` | what is done in a pass, steps and blocks of steps; what is done for it at the end of the round |
//! | `objects.NAME` | `id`: a captured variable that others must not be able to use; `read`, `update`, `delete`, `list`, `export`: steps that use it (`delete` is a step of `cleanup`); `refused`: statuses with which others are refused (403 or several); `indistinguishable: true`: they must not be able to tell it from an id that nobody has |
//! | `sharing.roles.ROLE` | what users of the role see besides their own: all of their `user`, all of their `tenant`, `everything` |
//! | `policy.overlap`, `overlap_pairs_percent`, `ok_percent` | what a pass demands (1, 25, 90) |
//! | `policy.leak_rate` | a share such as `0.1%`: a pass must show at 95 % that fewer of its trials leak; how many trials that takes is in the report |
//! | `policy.probes` | how many users of other tenants try each user's objects in each way (2) |
//! | `policy.caching` | what caches may be told about answers that show own canaries: `certain` (default; nothing by which a shared cache gives them to others), `strict` (they say `private`, `no-store` or `no-cache`, or vary by the credential, and no two users are given the same strong ETag) |
//! | `policy.passes_percent` | the share of passes through flows that must be gone through whole: each step ended ok, and all that it `sees` was there. Passes that are given up on purpose do not count (nothing is demanded) |
//! | `policy.unsent` | how many operations that were due may stay unsent (any number); `0`: nothing is skipped |
//! | `policy.protected` | `value`: an attribute of `tenants` that says what each is worth, in whole numbers; `minimum`: so much of it must come through unharmed. A tenant is unharmed when all of its passes were gone through whole and it is in no finding; tenants with the same attributes are one. The report tells each of them |
//! | `policy.oracles.NAME` | `off`: the oracle is not asked |
//! | `policy.oracles.unguarded-table` | asked of each `postgres` step: tables that the role may read, with a column that says whose a row is, and for which no policy holds: row-level security is off, or is not forced on the role that owns them, or the role is a superuser or bypasses it. What it finds is a note, as nothing has leaked by then (`warn`, the default); with `on` it is a violation |
//! | `policy.oracles.secret-in-log` | asked of each `logs` step: what a tenant has sent as a secret, in plain or encoded, and stands in a log. What it finds is a note, as nobody has received it, and addresses of mail are logged on purpose (`warn`, the default); with `on` it is a violation |
//! | `policy.oracles.existence-by-time` | `on`: it is asked, which it is not by default; `warn`: what it finds is a note, and no violation. In each round a few users ask for `indistinguishable` objects of others and, in turns drawn from the seed, for ids that nobody has, 24 pairs each. That one takes longer than the other by 0.2 ms or more, in so many pairs as chance brings about in one of 10,000 rounds at most (sign test), and the same way in the round after it, is a finding |
//! | `policy.oracles.interference` | `on`: it is asked, which it is not by default; `warn`: what it finds is a note, and no violation. It is for what no secret stands in: counters, numbers in a queue, allowances, orders of lists and texts of errors that change when another tenant works. In each round one user goes through a flow and then looks 32 times, in stages of their own, at up to 4 steps of it that only read (`get`, without a secret or a condition); before half of the looks, drawn from the seed, a user of another tenant goes through a flow that writes, before the others nobody does anything for as long. Compared are the status, the header fields and each value of the body, or line of a text, with those of the look before. What does not always go on in the same way in silence is left out, as are looks of which the other's work took longer than any silence. A value that goes on in another way only after work, in so many looks as chance brings about in one of 10,000 rounds at most (permutation test, divided by the number of values), and in the round after it again, is a finding; so take an even number of rounds. Ids that are numbered through all tenants, numbers of requests and limits by address are such values as well |
//! | `perturb` | `off`, or a map of perturbations, each `on`, `off`, a percentage, or `{percent: 30, steps: [STEP]}`; what is not named keeps its default. A perturbation that is named and never hits its point makes the verdict inconclusive |
//! | `perturb.poison` | one tenant sends spoiled copies of requests with a body, in stages of its own behind all else: cut off, empty, no UTF-8, values of another type, long characters, 64 KiB, control characters, metacharacters, deep lists, huge numbers, double keys, a hostile path. At most two steps a round, each by this chance (30 % from the second round on, where nothing is said); others go through the flow before and twice after it, and the oracle `fault-propagation` compares. Not for existing accounts, unless it is named |
//! | `perturb.widen` | a `get` with a canary in its query is followed by a copy that searches for less (30 % of the time): the letters that all canaries begin with, a common word, nothing, `%`, `*`. Rows of other tenants match as well, and an honest service shows its caller none of them |
//! | `perturb.flood` | one tenant sends an operation 48 times, over 8 connections, while one user of each of up to eight others goes through the same flow; nine times, with the same others alone before, between and after, in stages of its own. Where `steps` are named, these, writes too, each by this chance; else what may be repeated, as for `retry` (10 % from the second round on). The report says how many times as long the others' operations took. The oracle `noisy-neighbour` finds what took far longer than the requests in flight would explain: one line for all, in which one tenant's jobs stand before everybody's. Connections of one address that a gateway slows down together look the same. Not for existing accounts, unless it is named |
//! | `reactions.NAME` | a rule about operations of different tenants; see below |
//! | `properties.NAME` | a statement about the service, told as pass, fail or undecided: no finding of `oracles` (one or several; all) in `steps` and the steps of `flows` (all). It is undecided where what it rests on was missing: an oracle that had nothing to ask about, a step that never ended ok, anything else that keeps a verdict from being a pass. With one that is undecided, the verdict is no pass |
//! | `budget` | how much a run may cost the target, over all rounds: `requests` (500), `rate` (`5/s`, `30/m`, of all tenants together, in pairs, so that two tenants can be in flight together), `bytes` (`10MB`), `time` (`5m`), `connections` (at the same time). What is planned beyond it is not sent and is counted, and the verdict is inconclusive; requests that clean up are reserved, and time and bytes do not stop them. `--max-requests` and so on go before it |
//!
//! Beside a request, a `websocket` or an `sse`, `auth: off` leaves out what `auth.send` says: for links that are good by themselves, such as
//! those to a storage, and for servers that are to learn nothing of the session.
//!
//! A step has an `id`, unique in the scenario, and one action; `within` (`30s`) limits its time, `when` and `unless` say in which case
//! it is done:
//!
//! | action | beside it |
//! | --- | --- |
//! | `get`, `post`, `put`, `patch`, `delete`, `head`, `options`: a path; `request`: `METHOD /path` | one of `json`, `form`, `text`, `binary`, `multipart`; `headers`; `query`; `cookies`; `expect`: the status of the answer, or a map of `status` (one or several; any 2xx) and what must stand in it, as for `until`: `{status: 200, $.errors: {empty: true}}`; `follow`; `capture`; `sees`; `public`; `allowed`; `lists`, `counts`, `sums`, `empty_for_fresh`, `echoes`, `revalidate` |
//! | `websocket`: a path; opens a WebSocket | `as`: its name (`socket`); `headers`; `query`; `cookies`; `subprotocols`; `keep: true`: it outlives its pass, so that it hears what comes later |
//! | `sse`: a path, or `METHOD /path`; opens a stream of server-sent events, with GET, or with POST where there is a body | `as`: its name (`stream`); a body, `headers`, `query`, `cookies`, `expect` as above; `last_event_id`: text, or `resume: true`: the id of the last event that came on the stream of that name, which was closed; `keep` |
//! | `send`: text, or a map sent as JSON; `send_binary`: text or bytes sent as a binary frame | `on`: the WebSocket, where the flow has several |
//! | `receive`: types of events that must arrive in this order | `on`: the WebSocket or stream; `count`: the list that many times; `order: any`, where it is not as `listed`; `confirmed_by`: a later request of the pass that ends ok only when all events were sent: with it and a `ping` after it, an event that never came is a violation; `about: {JSONPATH: value}`: only events in which it holds count; `contains`: only messages in whose bytes a text, or `{hex: DIGITS}`, or `{base64: TEXT}` stands; `capture` and `sees`, from the last event (data that is no JSON is text, at `$`) |
//! | `await_webhook`: the name of a URL, `NAME` of `{{webhook.NAME}}` | `count`: how many (1); `about`: only those in whose JSON it holds count; `capture` (JSON and header fields; a form is a map of its fields, other data is text, at `$`) and `sees`, from the last |
//! | `postgres`: `{{env.NAME}}`, a secret variable with the address of a PostgreSQL, as the application's own role; looks through its tables, in a transaction that only reads, as the user's tenant sees them. What it finds of other tenants is a leak; a search that fails, or that does not find what the user has stored, leaves the run inconclusive. The host must be loopback or in `target.hosts`, and is spoken to without TLS; four tenants search at a time | `set`: the settings by which the policies know the tenant, as in `{app.tenant: "{{tenant_id}}"}`, and `role`, where the application changes it (needed); `tables`: which (all with a policy that holds for the role; 200 of them, 10,000 rows of each); `tenant_columns`: columns that say whose a row is, for the oracle `unguarded-table` (`tenant_id`, `org_id`, `account_id`, `customer_id`, `workspace_id` and the like); `sees` (needed) |
//! | `redis`: `{{env.NAME}}`, a secret variable with the address of a Redis; looks through the keys of one server by commands that only read (`SCAN`, never `KEYS`). Under a key that names the user or its tenant, what is another tenant's is a leak; a secret of the user's own under a key that names it not is one as well, by the oracle `unnamed-key`: whoever asks for the key next is given it. The host must be loopback or in `target.hosts`, and is spoken to without TLS | `names`: what a key holds, as words of their own, where it names the user or its tenant, as in `"{{tenant_id}}"` (one or several; needed); `keys`: which keys should do so, as a pattern of Redis (all; 10,000 of them, 4 MiB of each value): leave out queues and sessions, whose keys name nobody; `sees` (needed) |
//! | `logs`: paths of log files, absolute or seen from where Coalmine runs, with `*` in their last parts; looks through the last 16 MiB of each for secrets of the user, by the oracle `secret-in-log`. Programs are not started: write what only a command prints to a file | `mentions`: what stands there of the user that is no secret, as in `"{{user_id}}"`; logs that do not hold it a second later leave the run inconclusive (needed) |
//! | `ping`: the name of a WebSocket; waits for the pong, so that what was sent before has come | |
//! | `expect_close`: a code or several with one of which the target closes a WebSocket (1005: without a code) | `on`; `capture` |
//! | `close`: `handshake` or `hang-up`, which are the same on a stream | `on`; `code`: that of the close frame |
//! | `pause`: a time, or a shorter and a longer one, between which the seed chooses | it needs no `id`, and is no operation in the report |
//!
//! `writes: false` beside a request or `send` says that it changes nothing that stays, and `writes: true` that it does; without it, all
//! but GET, HEAD and OPTIONS do, as does what is sent on a WebSocket, but for the steps of `auth`. `coalmine smoke` leaves out what
//! writes, unless it is told otherwise.
//!
//! `until: {$.state: done}` beside a request sends it again until that holds of the answer (also `status: 200`), with a pause of
//! `every` (`100ms`) between an answer and the next request, `attempts` times at most (1,000), all of it `within` the step's time.
//! Only of the last answer something is captured; all are looked at for secrets.
//!
//! Among the steps of a flow there may be blocks, four deep in each other at most:
//!
//! | block | meaning |
//! | --- | --- |
//! | `repeat: N`, `steps` | the steps N times (1,000 at most) |
//! | `each: {ITEM: LIST}`, `at_most: N`, `steps` | the steps for each item of a captured list, N turns at most; `{{ITEM}}` is the item |
//! | `when: CONDITION` or `unless: CONDITION`, `steps` | the steps where it holds; both may also stand beside a block or a step |
//! | `parallel: [STEPS, STEPS]` | groups of steps at the same time, each on a connection of its own, until all are through; what one captures and sends, others know afterwards |
//!
//! Each turn of `repeat` and `each` has variables and new canaries of its own; what it does not find there, it looks for in what is
//! around it. What a turn captures means nothing outside of it, unless it is captured `for: pass`; `sees` in a step after the block means the canaries of all turns.
//! A WebSocket or stream that a turn opens ends with it. `cleanup` of a block is done for each turn at the end of the round, before
//! that of the flow, and `objects` may be made in turns: then their steps stand in the same block. Blocks cannot stand in `auth`,
//! `register`, `teardown`, `visits` and `cleanup`, but for those with a condition only.
//!
//! A condition compares what is known when the first step that depends on it is reached: `{kind: [long, short], user.role: LEADER}`
//! holds where all of its parts do. On the left stands what may stand in a hole, or `user.role`; on the right a text, several of which
//! one must stand there, or `{empty: true}` for nothing, null, an empty text or list, and `{empty: false}` for anything else.
//!
//! What is planned for a case that does not come (a turn without an item, a condition that does not hold, a step that uses what such a
//! step would have captured) is not due: it is not sent, and nothing is missing because of that. A step that was never due for anybody
//! is shown; if it has `sees`, the verdict is inconclusive.
//!
//! A path that begins with a hole is a link that an answer gave, or the address of another server: it is followed as it is, if it
//! leads to the target, to loopback or to one of `target.hosts`. So is a whole URL, such as `post: https://auth.example.com/token`.
//!
//! `follow: 5` beside a request follows as many redirects at most, as a browser does: each answer is looked at, cookies are kept and
//! sent by host, `authorization` stays with the host it was meant for, and `expect`, `capture` and `sees` are about the last answer.
//! A redirect to a host that is not listed is never followed, and named.
//!
//! `multipart: {NAME: text}` sends a form with fields, and files: `{NAME: {file: a.csv, csv: [[name], ["{{canary.name}}"]]}}`, with
//! one of `text`, `binary`, `csv` and `xlsx` (rows of cells) and, where it is not the usual one, its content `type`.
//!
//! `binary`, as a body or in a part, and `send_binary` take text, or bytes that are no text: `{base64: TEXT}`, `{hex: DIGITS}` or
//! `{random: COUNT}`, which the seed draws anew for each operation.
//!
//! `capture: {NAME: WHERE}` keeps a value for later steps. `sees` names own canaries that the answer must show; without it a run
//! cannot know that it would have noticed them.
//!
//! | where | what is kept |
//! | --- | --- |
//! | `$.items[0].id`, `{json: $.items[*].id}` | the value at a JSONPath (RFC 9535) |
//! | `{header: FIELD}`, `{cookie: NAME}` | a header field; a cookie that the answer sets |
//! | `{regex: "token=(\w+)"}` | the first group, or all that is matched where there is none |
//! | `{css: "input[name=csrf]", attribute: value}` | an element's attribute, or its text without `attribute`; types, `#id`, `.class`, `[name]`, `[name=value]` (also `^=`, `$=`, `*=`, `~=`), descendants, `>` and lists |
//! | `{body: whole}` | the body as text |
//! | `{answer: status}` | the status, as a number |
//! | `{close: code}`, `{close: reason}` | how the target closed a WebSocket, beside `expect_close` |
//! | `{header: location, regex: "jobs/(\w+)"}` | `regex` beside another place: a part of what stands there |
//!
//! The first is kept; `all: true` beside `json`, `regex` or `css` keeps a list of all. `or: TEXT` is kept where nothing, or null, stands
//! there. In a turn of a block, `for: pass` keeps it for the whole pass, so that the next turn and later steps have it; so a cursor
//! is followed: `capture: {cursor: {json: $.next, or: "", for: pass}}`.
//!
//! What an answer must agree with, a step says as well. What was done before it was asked for must be in it, what was under way may
//! be, and what was refused or removed before may not:
//!
//! | key | meaning |
//! | --- | --- |
//! | `lists` | `rows`: JSONPath of what rows are recognised by; `of`: the variable that was captured, or the `canary.NAME` that was sent, when a row was made; `may_see`: whose rows are shown (`tenant`, `user`, `session`, `operation`: those of this pass); `holds: some`: not all of them; `unknown: refused`: no rows that nobody is known to have made; `removed_by`: steps that remove what their pass has made (the `delete` of the flow's objects); `list: WORD`: the steps of a pass that say the same word are pages of one list |
//! | `counts` | `value`: JSONPath of a number; `of`: the step or steps that are counted; `may_see`, `removed_by` |
//! | `sums` | `value`: JSONPath of a number; `of`: a canary of the shape `integer` or `decimal` that is summed up; `may_see`, `removed_by`. Whose amount is too much in it, or missing, is told |
//! | `empty_for_fresh` | JSONPath of what is nothing (missing, null, zero, empty) for tenants that have made nothing |
//! | `echoes` | `{FIELD: value}`: what the request sends comes back in a header field, or at a JSONPath if it begins with `$`; the value tells the request from all others |
//! | `revalidate: others` | users of other tenants ask with the ETag that one was given: 304 is a violation, and so is one strong ETag for two users |
//!
//! `public: true` says that everybody may see what the answer shows, `public: [NAME]` which canaries of it: what appears there
//! may appear anywhere. A role, a member or a public answer only widens what `may_see` says, and nobody tries an object
//! that is shared with them.
//!
//! `allowed: [ROLE]` says which roles may do a step; those who go through its flow are among them. Users of each role that the
//! tenants have try it in a colleague's pass: those who may must end ok, and what others get done is a violation.
//!
//! Paths, values of headers, queries and forms, and every text in `json` and `send` may have holes:
//!
//! | hole | value |
//! | --- | --- |
//! | `{{NAME}}` | a captured value, of this turn, or else of this pass, or else of the session; a JSON text that is one hole keeps the value's type |
//! | `{{canary.NAME}}` | a canary: one for each session when `auth` sends it, otherwise a new one in each pass |
//! | `{{tenant.name}}`, `{{tenant.index}}` | the tenant's name; its number, which goes on counting over rounds |
//! | `{{user.name}}`, `{{user.index}}`, `{{user.password}}` | unique in the run; the number within the tenant; 24 letters of all kinds |
//! | `{{user.role}}`, `{{user.session}}` | the user's role, empty for users without one; the number of the session, from 0 |
//! | `{{user.COLUMN}}` | what the file of accounts has there; unless the column is open, it stands in no plan, no history and no output |
//! | `{{WORD.user.name}}`, `{{WORD.NAME}}` | an attribute, or a captured value of the session, of the member `WORD` |
//! | `{{tenant.ATTRIBUTE}}`, `{{env.NAME}}` | an attribute that the scenario gives to tenants; a variable |
//! | `{{run.id}}` | the seed |
//! | `{{shared.NAME}}` | a word that all principals have in common, another in each pass and each turn of a block: a key or id on which honest tenants collide |
//! | `{{chosen.NAME}}` | a word that the client chooses: the same as `{{uuid('NAME')}}`, but that some passes have the word of another tenant's user in its place, by the perturbation `collide` |
//! | `{{FUNCTION(VALUE, ...)}}` | what a function makes of names, quoted texts, numbers and other functions |
//! | `{{webhook.url}}`, `{{webhook.NAME}}` | the user's own URL for webhooks, one for each name; what comes there is the user's |
//! | `{{"{{"}}` | quoted text stands for itself: this is how to write `{{` |
//!
//! | function | value |
//! | --- | --- |
//! | `base64(v)`, `base64url(v)`, `url(v)`, `hex(v)` | encoded; `base64url` without padding |
//! | `lower(v)`, `upper(v)`, `json(v)`, `sha256(v)` | small letters, capitals, JSON text, hexadecimal digest |
//! | `basic(user, password)` | `Basic ...` for the header `authorization` |
//! | `jwt_hs256(claims, secret)`, `jwt_rs256(claims, private_key)` | a token of a map under `values`; the key in PEM |
//! | `uuid(name)` | a UUID, the same wherever the pass, or the turn of a block, says the same name |
//! | `repeat(text, times)` | the text so many times, for what is long; 4 MiB at most |
//! | `now(seconds)`, `date(days)` | seconds since 1970, and the day by UTC, when the step is sent; so much later. The only functions that do not repeat |
//!
//! Values are percent-encoded where they are put into paths and queries. Names are a letter, then letters, digits, `-` and `_`.
//!
//! # How the target is shaken
//!
//! Without a word in the scenario, rounds are shaken in ways that are harmless to an honest service. The percentages count operations, for
//! `cancel` and `collide` passes, for `forge` rounds, for `poison` and `flood` what a round has room for; the first round has these but for the last two, later rounds leave
//! some out and have more of others, as the seed draws it.
//!
//! | perturbation | what is done | default |
//! | --- | --- | --- |
//! | `race` | operations of two or more tenants are let go together: each holds back its last byte until all are ready. Over HTTP/2 half of them go over one connection, where `share` is not forbidden, and their last frames arrive in one packet | 20 % |
//! | `react` | an operation begins, or is given up, when another tenant's is in flight or has ended | 6 % |
//! | `delay` | an operation begins up to 6 ms later; in some rounds all those of some users do | 5 % |
//! | `cancel` | a pass besides the others is given up: nothing, the head, half of the body, or all but the last byte was sent; all was sent and the answer is awaited; the status line or a part of the body has come; some events have come. By RST, FIN, a half-close, a close frame or silence | 20 % |
//! | `share` | requests of several tenants go over one connection, one after another, as through a gateway; over HTTP/2 also at the same time | 8 % |
//! | `reconnect` | the connection is closed and opened anew before the operation | 4 % |
//! | `stall` | the request is written in small slices, or the answer is read slowly through a small buffer; in passes besides the others a WebSocket is not read from its opening until events are waited for, and a while longer, or its pings are not answered | 1.5 %; of passes with a WebSocket 7.5 %, and two users of each flow |
//! | `swizzle` | everything that some tenants have open stands still (a request lacks its last byte, WebSockets and event streams are neither read nor written) until another tenant's operation is in flight; then they move again one after another, in another order | 1 % |
//! | `retry` | the operation is sent a second time, where RFC 9110 calls its method idempotent (but for DELETE) or it has an `idempotency-key`, and nothing is captured of it | 5 % |
//! | `collide` | a user chooses in a pass what a user of another tenant chooses in the same pass, never one of its own tenant: `{{chosen.NAME}}`, and `{{uuid('NAME')}}` in the header `idempotency-key`. All steps of the pass say the same. Mark so what clients choose and the service keeps for each of its tenants: names of files, periods, ids. What is sent with `auth: off`, or makes the session, is kept for nobody and does not collide | 30 % of the passes that choose something |
//! | `forge` | a few users read what is theirs with credentials that nobody was given: one letter of the session's token is another; its last part, or second half, is that of another tenant's; a JWT says that it has no signature, and others lack their last part. An answer that shows the user's own secrets is a violation (`forged-credential`). The cookies of the jar are changed in the same ways, and those that are too short for it, or are put together of several values, are left out. Only where values that the session captured, of 16 characters or more, or its cookies are all that says who asks: with `{{user.name}}` or a secret variable beside them nothing is forged | up to 3 users in each round, 2 requests each |
//! | `poison` | one tenant sends spoiled copies of a request, and others go through the same flow before and after it; see `perturb.poison` | 30 % |
//! | `flood` | one tenant sends an operation many times at once, and others go through the same flow meanwhile; see `perturb.flood` | 10 % |
//!
//! What is given up or sent twice is not expected to end ok; all else is, as if nothing was shaken.
//!
//! Who knows where a service is weak can say who meets whom: `reactions` are rules about steps of flows, each step done by another
//! tenant. They are kept in every round that is shaken, `perturb: off` or not, besides what chance brings together; a verdict says how often
//! each was kept, and is inconclusive where one never was.
//!
//! | key | meaning |
//! | --- | --- |
//! | `begin: STEP`, `once` | the step begins once another tenant's has come so far, and that one waits until it is ready for it |
//! | `cancel: STEP`, `once`, `by` | the step is given up, in passes besides the others, once another tenant's has come so far, which begins when it is on its way. `by` `reset` (default), `close`, `half-close`, `silence`, or over HTTP/2 `stream` (default there) |
//! | `together: [STEP, STEP]` | as many tenants do these steps, and they are released together as in a `race` |
//! | `once` | `{in_flight: STEP}`: that step is about to be sent; `{ended: STEP}`: it has ended, however it ended |
//! | `jitter` | so much later at most, drawn by the seed (0.8 ms; `1ms` to `250ms`) |
//! | `percent` | of so many of the operations, or passes (100) |
//!
//! # What a plan does not promise
//!
//! That the target takes these requests at all: what a run could not exercise, the verdict says. An object that only some
//! passes create is tried by others all the same.

mod accounts;
mod attribute;
mod case;
mod compile;
mod deserializer;
mod document;
mod draw;
mod expression;
mod hole;
mod node;
mod problem;
mod renamed;
mod round;
mod scenario;
mod schema;
mod source;
mod span;
mod suggestion;
mod target;
mod time_limit;
mod written;

pub use case::{CaseFile, resolve, without_idle_flows};
pub use problem::{Problem, ScenarioErrors};
pub use renamed::{Naming, renamed};
pub use round::{Numbering, Overrides, PlanError, Shaking, Writes, perform, plan};
pub use scenario::Scenario;
pub use schema::{reference, schema};
pub use source::ReadFile;
pub use target::BaseUrlError;
pub use time_limit::parse_ms;
