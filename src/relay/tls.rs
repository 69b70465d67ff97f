//! TLS in the middle, as a state machine: which leg's handshake comes when, who answers STLS, and what is said in clear
//! where it must not be.
//!
//! ```text
//!   implicit TLS of the client --.
//!                                v
//!                             connect
//!                                |    upstream pop3s://: handshake
//!                                |    upstream pop3+stls://: greeting, STLS, +OK, handshake
//!                                v
//!   .----------------------> relaying <----------------------------------------------.
//!   |                            | the client says STLS                               |
//!   |                            |-- not in TLS, upstream plain: passed on            |
//!   |                            |      +OK: the upstream's handshake, +OK to it ---. |
//!   |                            |      -ERR: +OK to it all the same ---------------| |
//!   |                            |-- upstream in TLS already: +OK to it ------------| |
//!   '-- -ERR to it --------------'-- in TLS already, or stripped                    v |
//!                                                                  the client's handshake
//! ```
//!
//! What a side sends in clear between STLS and its handshake is thrown away, and told.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::core::Core;
use super::intercept::{Answered, Intercept};
use super::list::Edit;
use super::policy::Policy;
use super::remarks::Remarks;
use super::told::{tell, tell_broken, tell_clear, tell_mute, tell_taken};
use crate::pop3::{State, Status, excerpt};
use crate::recording::{By, How};
use crate::wire::{Action, Close, Handshake, Input, Micros, Security, Side};

/// So much is kept of what comes before its time.
const MAX_WAITING: usize = 64 * 1024;

/// What poptape answers to STLS where it is itself the one who agrees.
const AGREED: &str = "+OK begin TLS negotiation";

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Tls {
    policy: Arc<Policy>,
    stage: Stage,
    intercept: Option<Intercept>,
    remarks: Remarks,
    /// On which legs TLS stands.
    secure: [bool; 2],
    /// The client's handshake, until the session's first entry is made.
    early: Option<Box<Handshake>>,
    /// What is wrong with the certificate that the client was shown, until it goes on.
    flaw: Option<&'static str>,
    /// What came before its time.
    waiting: VecDeque<(Side, Bytes)>,
    /// What the client sent in clear behind STLS.
    clear: Vec<u8>,
    /// It sends no more, said before its time: what waits goes first.
    left: Option<Close>,
    /// It has said nothing since its handshake.
    mute: bool,
}

#[derive(Debug)]
enum Stage {
    /// The upstream is not connected.
    Opening,
    /// The upstream is asked for TLS: its greeting, once that is whole, and the line that comes.
    Asking { greeting: Option<Bytes>, line: Vec<u8> },
    /// The upstream's handshake goes on.
    Securing(Next),
    /// The client's STLS was passed on, and has no answer.
    Following,
    /// STLS is answered by poptape, once the upstream owes nothing.
    Answering(Answer),
    /// The client's handshake goes on.
    Beginning,
    /// Both sides can speak.
    Relaying,
    /// The upstream has refused the session before it was in TLS: it alone can speak.
    Refused,
}

/// What comes after the upstream's handshake.
#[derive(Debug)]
enum Next {
    /// Its greeting.
    Relay,
    /// The greeting that it gave in clear.
    Greeting(Bytes),
    /// Its answer to the client's STLS goes to the client, whose handshake is next.
    Reply(Bytes),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The upstream has its TLS: so has the client.
    Agree,
    /// Because it was asked for on the command line.
    Stripped,
    /// There is TLS already (RFC 2595 section 4).
    Refuse,
}

impl Tls {
    /// None: there is nothing to do about TLS in a session.
    pub(super) fn new(policy: &Arc<Policy>) -> Option<Self> {
        (policy.has_tls() || policy.intercepts()).then(|| Self {
            policy: Arc::clone(policy),
            stage: Stage::Opening,
            intercept: policy.intercepts().then(Intercept::new),
            remarks: Remarks::new(policy),
            secure: [false; 2],
            early: None,
            flaw: None,
            waiting: VecDeque::new(),
            clear: Vec::new(),
            left: None,
            mute: false,
        })
    }

    pub(super) fn handle(&mut self, core: &mut Core, at: Micros, input: Input, actions: &mut Vec<Action>) {
        let known = core.observer.found().len();
        match input {
            Input::Opened if self.policy.client == Security::Implicit => {
                actions.push(Action::StartTls(Side::Client));
            }
            Input::Connected(address) => {
                self.open(core, Some(address.to_string()));
                match self.policy.upstream {
                    Security::Plain => self.relay(core, at, actions),
                    Security::Stls => self.stage = Stage::Asking { greeting: None, line: Vec::new() },
                    Security::Implicit => self.secure_upstream(Next::Relay, actions),
                }
            }
            Input::Tls(handshake) => self.handshake(core, at, *handshake, actions),
            Input::Received(side, octets) => self.received(core, at, side, octets, actions),
            Input::Closed(side, how) => self.closed(core, at, side, how, actions),
            Input::Broke(side, why) => {
                tell_broken(&mut core.observer, at, side, &why);
                if side == Side::Client {
                    // Which is a word; and whether the server would have said one is not known.
                    (self.mute, core.in_clear) = (false, false);
                }
                self.closed(core, at, side, Close::Reset, actions);
            }
            Input::ConnectFailed(_) | Input::Stop => {
                self.open(core, None);
                core.handle(at, input, actions);
            }
            input => core.handle(at, input, actions),
        }
        let notes = self.remarks.look(core.observer.found().get(known..).unwrap_or_default());
        // What is said of a session comes before its end; half a line that came with that is no login.
        if !core.over {
            for (kind, text) in notes {
                core.observer.note(at, kind, text);
            }
        }
    }

    /// The session's first entries.
    fn open(&mut self, core: &mut Core, server: Option<String>) {
        core.open(server);
        if let Some(handshake) = self.early.take() {
            self.flaw = tell(&mut core.observer, handshake.tls.at, *handshake);
        }
    }

    fn secure_upstream(&mut self, next: Next, actions: &mut Vec<Action>) {
        self.stage = Stage::Securing(next);
        actions.push(Action::StartTls(Side::Server));
    }

    /// Both sides can speak: what came before that is taken now.
    fn relay(&mut self, core: &mut Core, at: Micros, actions: &mut Vec<Action>) {
        self.stage = Stage::Relaying;
        while let Stage::Relaying = self.stage
            && let Some((side, octets)) = self.waiting.pop_front()
        {
            self.received(core, at, side, octets, actions);
        }
        if let Stage::Relaying = self.stage
            && let Some(how) = self.left.take()
        {
            self.closed(core, at, Side::Client, how, actions);
        }
    }

    fn received(
        &mut self,
        core: &mut Core,
        at: Micros,
        side: Side,
        octets: Bytes,
        actions: &mut Vec<Action>,
    ) {
        self.mute &= side != Side::Client;
        match (&mut self.stage, side) {
            (Stage::Relaying, Side::Client) => self.client(core, at, octets, actions),
            (Stage::Relaying | Stage::Following | Stage::Answering(_), Side::Server) => {
                self.server(core, at, octets, actions);
            }
            (Stage::Refused, Side::Server) => core.handle(at, Input::Received(side, octets), actions),
            (Stage::Refused, Side::Client) => core.see(side, at, octets),
            (Stage::Asking { greeting, line }, Side::Server) => {
                line.extend_from_slice(&octets);
                let greeting = greeting.take();
                self.ask(core, at, greeting, actions);
            }
            (Stage::Following | Stage::Answering(Answer::Agree), Side::Client) => {
                let room = MAX_WAITING.saturating_sub(self.clear.len());
                self.clear.extend_from_slice(&octets[..octets.len().min(room)]);
            }
            _ => self.wait(core, at, side, octets, actions),
        }
    }

    /// Keeps what comes before its time.
    fn wait(&mut self, core: &mut Core, at: Micros, side: Side, octets: Bytes, actions: &mut Vec<Action>) {
        let waiting: usize = self.waiting.iter().map(|(_, octets)| octets.len()).sum();
        if waiting + octets.len() <= MAX_WAITING {
            return self.waiting.push_back((side, octets));
        }
        let text = format!("the {} sent more than {MAX_WAITING} octets before it was its turn", side.name());
        core.observer.note(at, "ahead", text);
        actions.push(Action::Close);
        core.end(at, By::Poptape, How::Stopped);
    }

    /// The upstream's greeting, and its answer to our STLS (RFC 2595 section 4).
    fn ask(&mut self, core: &mut Core, at: Micros, greeting: Option<Bytes>, actions: &mut Vec<Action>) {
        let Stage::Asking { line, .. } = &mut self.stage else { return };
        let Some(end) = memchr::memchr(b'\n', line) else {
            let too_long = line.len() > MAX_WAITING;
            self.stage = Stage::Asking { greeting, line: std::mem::take(line) };
            if too_long {
                core.refuse(at, "poptape cannot ask the upstream server for TLS: it sends no line", actions);
                core.end(at, By::Poptape, How::TlsFailed);
            }
            return;
        };
        let rest = Bytes::from(line.split_off(end + 1));
        let line = Bytes::from(std::mem::take(line));
        let is_ok = Status::of(&line) == Some(Status::Ok);
        match greeting {
            None if is_ok => {
                self.stage = Stage::Asking { greeting: None, line: rest.to_vec() };
                actions.push(Action::Send(Side::Server, Bytes::from_static(b"STLS\r\n")));
                // What came behind it in the same read is taken as if it came now.
                self.ask(core, at, Some(line), actions);
            }
            // It refuses the session: the client sees that.
            None => self.refused(core, at, [&line[..], &rest].concat().into(), actions),
            Some(greeting) if is_ok => {
                tell_clear(&mut core.observer, at, Side::Server, &rest);
                self.secure_upstream(Next::Greeting(greeting), actions);
            }
            Some(_) => {
                let said = excerpt(Side::Server, &line);
                let text = format!("the server refused STLS: {said}; write pop3:// to go on without TLS");
                core.observer.note(at, "stls-refused", text);
                core.refuse(at, &format!("the upstream server refused STLS: {said}"), actions);
                core.end(at, By::Server, How::TlsFailed);
            }
        }
    }

    /// The upstream refuses the session before TLS: what the client says was meant for TLS, and goes nowhere.
    fn refused(&mut self, core: &mut Core, at: Micros, said: Bytes, actions: &mut Vec<Action>) {
        self.stage = Stage::Refused;
        self.received(core, at, Side::Server, said, actions);
        for (side, octets) in std::mem::take(&mut self.waiting) {
            self.received(core, at, side, octets, actions);
        }
        if let Some(how) = self.left.take() {
            self.closed(core, at, Side::Client, how, actions);
        }
    }

    /// What came of a handshake.
    fn handshake(&mut self, core: &mut Core, at: Micros, handshake: Handshake, actions: &mut Vec<Action>) {
        match handshake.tls.leg {
            Side::Client => self.client_handshake(core, at, handshake, actions),
            Side::Server => self.server_handshake(core, at, handshake, actions),
        }
    }

    fn client_handshake(
        &mut self,
        core: &mut Core,
        at: Micros,
        handshake: Handshake,
        actions: &mut Vec<Action>,
    ) {
        let failed = handshake.tls.failure.is_some();
        if !failed && let Stage::Opening = self.stage {
            (self.secure[Side::Client as usize], self.mute) = (true, true);
            self.early = Some(Box::new(handshake));
            return actions.push(Action::Connect);
        }
        self.open(core, None);
        self.clear.extend_from_slice(&handshake.clear);
        tell_clear(&mut core.observer, at, Side::Client, &std::mem::take(&mut self.clear));
        self.flaw = tell(&mut core.observer, at, handshake);
        if failed {
            actions.push(Action::Close);
            return core.end(at, By::Client, How::TlsFailed);
        }
        (self.secure[Side::Client as usize], self.mute) = (true, true);
        let alike = self.secure == [true; 2] && !self.policy.strips() && !self.policy.strip_plus;
        if alike {
            self.intercept = None;
        }
        self.relay(core, at, actions);
    }

    fn server_handshake(
        &mut self,
        core: &mut Core,
        at: Micros,
        handshake: Handshake,
        actions: &mut Vec<Action>,
    ) {
        tell_clear(&mut core.observer, at, Side::Server, &handshake.clear);
        let failure = handshake.tls.failure.as_ref().map(|failure| failure.reason.clone());
        tell(&mut core.observer, at, handshake);
        if let Some(reason) = failure {
            core.refuse(at, &format!("poptape has no TLS with the upstream server: {reason}"), actions);
            return core.end(at, By::Server, How::TlsFailed);
        }
        self.secure[Side::Server as usize] = true;
        let Stage::Securing(next) = std::mem::replace(&mut self.stage, Stage::Relaying) else { return };
        match next {
            Next::Relay => self.relay(core, at, actions),
            Next::Greeting(greeting) => {
                self.waiting.push_front((Side::Server, greeting));
                self.relay(core, at, actions);
            }
            Next::Reply(reply) => {
                if let Some(intercept) = &mut self.intercept {
                    intercept.tls_started();
                }
                self.begin(core, at, reply, actions);
            }
        }
    }

    /// Tells the client that TLS begins, and lets it begin.
    fn begin(&mut self, core: &mut Core, at: Micros, reply: Bytes, actions: &mut Vec<Action>) {
        core.observer.feed(Side::Server, at, reply.clone());
        actions.extend([Action::Send(Side::Client, reply), Action::StartTls(Side::Client)]);
        self.stage = Stage::Beginning;
    }

    fn client(&mut self, core: &mut Core, at: Micros, octets: Bytes, actions: &mut Vec<Action>) {
        if let Some(flaw) = self.flaw.take() {
            tell_taken(&mut core.observer, at, flaw);
        }
        let Some(intercept) = &mut self.intercept else {
            return core.handle(at, Input::Received(Side::Client, octets), actions);
        };
        core.spoke(Side::Client, at, &octets);
        let sent = intercept.client(&mut core.observer, at, octets);
        self.forward(at, sent.forward, actions);
        if let Some((line, rest)) = sent.stls {
            self.stls(core, at, line, rest, actions);
        }
    }

    fn forward(&mut self, at: Micros, octets: Bytes, actions: &mut Vec<Action>) {
        if octets.is_empty() {
            return;
        }
        if let Some(intercept) = &mut self.intercept {
            intercept.forwarded(at, octets.clone());
        }
        actions.push(Action::Send(Side::Server, octets));
    }

    /// The client says STLS.
    fn stls(&mut self, core: &mut Core, at: Micros, line: Bytes, rest: Bytes, actions: &mut Vec<Action>) {
        let plausible = line.trim_ascii_end().len() == 4
            && self.intercept.as_ref().is_some_and(|intercept| intercept.state() == State::Authorization);
        let answer = match (self.policy.client, self.secure) {
            _ if self.policy.strips() => Answer::Stripped,
            // With an argument, or after the login: it is for the upstream to refuse it (RFC 2595 section 4).
            _ if !plausible => return self.pass_on(core, at, line, rest, actions),
            (Security::Stls, [false, true]) => Answer::Agree,
            (Security::Stls, [false, false]) => {
                self.stage = Stage::Following;
                self.clear.extend_from_slice(&rest);
                return self.forward(at, line, actions);
            }
            (_, [true, false]) => Answer::Refuse,
            // It is for the upstream to say what it thinks of it.
            _ => return self.pass_on(core, at, line, rest, actions),
        };
        self.stage = Stage::Answering(answer);
        match answer {
            Answer::Agree => self.clear.extend_from_slice(&rest),
            Answer::Stripped | Answer::Refuse if !rest.is_empty() => {
                self.waiting.push_front((Side::Client, rest));
            }
            _ => {}
        }
        self.answer(core, at, actions);
    }

    /// Leaves the client's STLS to the upstream.
    fn pass_on(&mut self, core: &mut Core, at: Micros, line: Bytes, rest: Bytes, actions: &mut Vec<Action>) {
        self.forward(at, line, actions);
        if !rest.is_empty() {
            self.client(core, at, rest, actions);
        }
    }

    /// Answers the client's STLS in the upstream's place, once that has answered what came before it.
    fn answer(&mut self, core: &mut Core, at: Micros, actions: &mut Vec<Action>) {
        let Stage::Answering(answer) = self.stage else { return };
        if self.intercept.as_ref().is_some_and(|intercept| !intercept.is_quiet()) {
            return;
        }
        let (line, text) = match answer {
            Answer::Agree => (AGREED, "the upstream's leg is in TLS already: poptape answered STLS itself"),
            Answer::Refuse => {
                ("-ERR TLS stands already", "the client's leg is in TLS already: poptape refused STLS itself")
            }
            Answer::Stripped => (
                self.policy.stls_respond.as_deref().unwrap_or("-ERR STLS is not available"),
                "poptape answered STLS itself, as it was told to",
            ),
        };
        core.observer.note(at, "stls-answered", text.to_owned());
        let line = Bytes::from(format!("{line}\r\n"));
        if answer == Answer::Agree {
            return self.begin(core, at, line, actions);
        }
        core.observer.feed(Side::Server, at, line.clone());
        actions.push(Action::Send(Side::Client, line));
        self.relay(core, at, actions);
    }

    /// How capability lists are edited now.
    fn edit(&self) -> Edit {
        let strips = self.policy.strips();
        let before_login =
            self.intercept.as_ref().is_some_and(|intercept| intercept.state() == State::Authorization);
        let [client_is_secure, _] = self.secure;
        Edit {
            add_stls: self.policy.client == Security::Stls && !client_is_secure && before_login && !strips,
            drop_stls: strips || client_is_secure,
            drop_plus: self.policy.strip_plus,
        }
    }

    fn server(&mut self, core: &mut Core, at: Micros, octets: Bytes, actions: &mut Vec<Action>) {
        let edit = self.edit();
        let Some(intercept) = &mut self.intercept else {
            return core.handle(at, Input::Received(Side::Server, octets), actions);
        };
        let Answered { forward, changed, stls } = intercept.server(at, octets, edit);
        for (kind, text) in changed {
            self.remarks.hidden |= kind == "plus-hidden";
            core.observer.note(at, kind, text);
        }
        if !forward.is_empty() {
            core.see(Side::Server, at, forward.clone());
            actions.push(Action::Send(Side::Client, forward));
        }
        // A client that asks again in TLS has its answer as it is.
        let follows = matches!(self.stage, Stage::Following);
        match stls {
            Some((line, true, rest)) if follows => {
                tell_clear(&mut core.observer, at, Side::Server, &rest);
                self.secure_upstream(Next::Reply(line), actions);
            }
            Some((line, false, rest)) if follows => {
                let said = excerpt(Side::Server, &line);
                let text = format!(
                    "the server refused STLS ({said}): poptape agreed, and the upstream's leg stays in clear"
                );
                core.observer.note(at, "stls-answered", text);
                if !rest.is_empty() {
                    self.waiting.push_back((Side::Server, rest));
                }
                self.begin(core, at, format!("{AGREED}\r\n").into(), actions);
            }
            Some((line, _, rest)) => {
                let octets = Bytes::from([&line[..], &rest].concat());
                core.see(Side::Server, at, octets.clone());
                actions.push(Action::Send(Side::Client, octets));
            }
            None => self.answer(core, at, actions),
        }
    }

    /// A side sends no more: what was kept of it goes on.
    fn closed(&mut self, core: &mut Core, at: Micros, side: Side, how: Close, actions: &mut Vec<Action>) {
        let relaying = matches!(self.stage, Stage::Relaying | Stage::Refused);
        if side == Side::Client && how != Close::Reset && !relaying {
            self.left = Some(how);
            return;
        }
        self.open(core, None);
        let asking = matches!(self.stage, Stage::Asking { .. });
        if side == Side::Client && self.mute && core.is_open() {
            tell_mute(&mut core.observer, at, self.flaw);
            // There was no time for the server to be heard.
            core.in_clear = false;
        }
        let edit = self.edit();
        let kept = match (&mut self.stage, side, &mut self.intercept) {
            (Stage::Asking { greeting, line }, Side::Server, _) => {
                let greeting = greeting.take().unwrap_or_default();
                Bytes::from([&greeting[..], line].concat())
            }
            (_, Side::Server, Some(intercept)) => intercept.server_closed(edit),
            (_, Side::Client, Some(intercept)) => intercept.client_closed(),
            _ => Bytes::new(),
        };
        if !kept.is_empty() {
            if side == Side::Server {
                core.see(side, at, kept.clone());
            }
            actions.push(Action::Send(side.other(), kept));
        }
        core.closed(at, side, how, actions);
        if asking && !core.over {
            // The client's octets are for TLS, and there will be none.
            let text = "the server closed the connection before TLS: write pop3:// to go on without";
            core.observer.note(at, "stls-refused", text.to_owned());
            actions.push(Action::Close);
            core.end(at, By::Server, How::TlsFailed);
        } else if !relaying && !core.over {
            // Nobody answers any more what was asked, and the client's turn comes at last.
            tell_clear(&mut core.observer, at, Side::Client, &std::mem::take(&mut self.clear));
            self.relay(core, at, actions);
        }
    }
}
