//! Listens, and looks for plaintext on the wire.

use super::Trick;
use super::messages::Message;
use crate::scenario::Scenario;
use ::sim::Injection;

/// A shorter name could be there by chance.
const NAME_BYTES_MIN: usize = 8;

/// Passes everything on.
pub(super) struct Observe {
    /// Names that no record shows: those of the services that are opened.
    secrets: Vec<String>,
    messages: u64,
    complaint: Option<String>,
}

impl Observe {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let names = scenario.work.iter().map(|work| &work.service).filter(|name| name.len() >= NAME_BYTES_MIN);
        Self { secrets: names.cloned().collect(), messages: 0, complaint: None }
    }
}

impl Trick for Observe {
    fn message(&mut self, message: Message, out: &mut Vec<Injection>) {
        self.messages += 1;
        let shows = |secret: &&String| message.bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
        if let Some(secret) = self.secrets.iter().find(shows) {
            self.complaint = Some(format!("a message on the wire shows the service name `{secret}`"));
        }
        message.pass_on(out);
    }

    /// Who knows of nothing to look for has not looked.
    fn is_through(&self) -> bool {
        self.messages > 0 && !self.secrets.is_empty()
    }

    fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }
}
