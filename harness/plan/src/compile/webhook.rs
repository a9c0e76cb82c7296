//! Webhooks: where they are received, the URLs that the target is told, and steps that wait for them.

use std::net::SocketAddr;

use coalmine_core::plan::{Credential, CredentialFrom, Webhooks};
use coalmine_core::step::{Action, AwaitWebhook};

use super::Compiler;
use super::room::Room;
use super::settings::json_path;
use super::words::Planting;
use crate::document::{CredentialText, Document, StepText};
use crate::span::{Span, Spanned};
use crate::suggestion;
use crate::target::BaseUrl;

const LISTEN_DEFAULT: &str = "127.0.0.1:0";
const COUNT_MAX: u16 = 1_000;

impl Compiler<'_> {
    /// The slot of the URL of that name; each name that a scenario uses is one.
    pub(super) fn webhook(&mut self, name: &str, place: Span) -> Option<u16> {
        let Some(names) = &mut self.webhooks else {
            let help = "say where webhooks are received: `webhooks: {listen: 127.0.0.1:0}`".to_owned();
            self.problems.absent(place, "no webhooks are received", Some(help));
            return None;
        };
        let known = names.iter().position(|known| known == name);
        let at = known.unwrap_or(names.len());
        if known.is_none() {
            names.push(name.to_owned());
            self.check_name(&Spanned { span: place, value: name.to_owned() }, "webhook");
        }
        Some(self.slot(at, place))
    }

    pub(super) fn await_webhook(&mut self, name: &Spanned<String>, step: &StepText) -> Action {
        let known = self.webhooks.as_deref().unwrap_or_default();
        let slot = known.iter().position(|known| *known == name.value);
        if slot.is_none() {
            let help = suggestion::help(name.as_str(), known.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| format!("send it to the target: `{{{{webhook.{}}}}}`", name.value));
            let message = format!("no step before this one sends the URL `webhook.{}`", name.value);
            self.problems.absent(name.span, message, Some(help));
        }
        let webhook = self.slot(slot.unwrap_or_default(), name.span);
        let about = step.about.as_ref().and_then(|about| self.about(about));
        Action::AwaitWebhook(AwaitWebhook { webhook, count: self.count(step.count.as_ref()), about })
    }

    pub(super) fn count(&self, written: Option<&Spanned<u32>>) -> u16 {
        let Some(written) = written else { return 1 };
        let count = u16::try_from(written.value).ok().filter(|count| (1..=COUNT_MAX).contains(count));
        count.unwrap_or_else(|| {
            self.problems.add(written.span, format!("1 to {COUNT_MAX} may be waited for"), None);
            1
        })
    }

    /// The receiver; called when all flows are compiled, as then all names are known.
    pub(super) fn webhooks(&mut self, document: &Document) -> Option<Webhooks> {
        let written = document.webhooks.as_ref()?;
        let listen = written.listen.as_ref().map_or(LISTEN_DEFAULT, |listen| listen.as_str());
        match (listen.parse::<SocketAddr>(), &written.listen) {
            (Err(_), Some(listen)) => {
                let help = "write an address and a port, such as `127.0.0.1:0`; port 0 is a free one".to_owned();
                self.problems.add(
                    listen.span,
                    format!("`{}` is not an address to listen on", listen.value),
                    Some(help),
                );
            }
            (Ok(address), Some(listen)) if address.ip().is_unspecified() && written.public_url.is_none() => {
                let help = "say how the target reaches it: `public_url: http://host:port`".to_owned();
                self.problems.absent(listen.span, "nobody can be told this address", Some(help));
            }
            _ => {}
        }
        let public_url = written.public_url.as_ref().and_then(|url| self.public_url(url));
        let credential = written.credential.as_ref().and_then(|credential| self.credential(credential));
        let names = self.webhooks.take().unwrap_or_default();
        Some(Webhooks { listen: listen.to_owned(), public_url, names, credential })
    }

    fn public_url(&self, written: &Spanned<String>) -> Option<String> {
        match BaseUrl::parse_origin(written.as_str()) {
            Ok(url) => Some(url.as_str().to_owned()),
            Err(error) => {
                let help = "write one such as `http://ci-runner:9000`".to_owned();
                self.problems.add(written.span, error.to_string(), Some(help));
                None
            }
        }
    }

    fn credential(&mut self, written: &Spanned<CredentialText>) -> Option<Credential> {
        // It belongs to the principal, so that it is made of the session's values.
        self.room = Room::default();
        let mine = self.template_with(&written.value.mine, Planting::Refused, str::to_owned);
        let from = match (&written.value.header, &written.value.field) {
            (Some(header), None) => CredentialFrom::Header(self.header_name(header)),
            (None, Some(field)) => CredentialFrom::Json(json_path(field, self.problems)),
            _ => {
                let help = "write `header: NAME` or `field: JSONPATH`".to_owned();
                self.problems.absent(written.span, "a credential stands in one place", Some(help));
                return None;
            }
        };
        Some(Credential { from, mine })
    }
}
