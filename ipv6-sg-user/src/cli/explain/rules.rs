//! What flows and rules had to say of a frame: the flow that it belongs to, and the rule that decides.

use std::io::{self, Write};

use ipv6_sg_common::abi::{Direction, Flow, FlowKey, Port, PortFlags, RulesetId};
use ipv6_sg_common::verdict::{Action, Reason, Tables as _};
use serde::Serialize;

use super::port::Found;
use crate::cli::flows::FlowRow;
use crate::cli::rule_rows::{Side, WrittenRow};
use crate::cli::wanted_state::Wanted;
use crate::compile::written::deciding_rule;
use crate::compile::{Grant, HostTables, Question, Rehearsal};

/// Empty where neither had a say.
#[derive(Debug, Default, Serialize)]
pub(super) struct Decided {
    /// The flow before this frame, or the one that is cut and that the frame would belong to.
    flow: Option<FlowRow>,
    /// The rule that allows the frame, or the one that opened its flow.
    rule: Option<WrittenRow>,
    /// The rule, or why there is none, in words.
    rule_text: Option<String>,
}

impl Decided {
    pub(super) fn new(
        direction: Direction,
        port: &Port,
        reason: Reason,
        rehearsal: &Rehearsal,
        tables: &HostTables,
        found: &Found,
    ) -> Self {
        let (flow, cut) = match reason {
            Reason::Established | Reason::Fragment => (rehearsal.flow, None),
            Reason::Allowed | Reason::IngressDenied | Reason::EgressDenied | Reason::IcmpNeedsRule => {
                (None, rehearsal.flow.and_then(|(key, _)| cut_flow(key, tables)))
            }
            _ => return Self::default(),
        };
        let asked = Direction::ALL.into_iter().any(|way| rehearsal.question(way).is_some());
        // Later fragments of what no rule is asked about pass without any.
        let unasked = reason == Reason::Fragment && flow.is_none() && !asked;
        if unasked || !port.flags.has(PortFlags::HAS_RULES) {
            return Self::default();
        }
        let opened = flow.and_then(|(_, flow)| Direction::from_number(flow.opened));
        let way = opened.unwrap_or(direction);
        let (rule, text) = match rehearsal.question(way) {
            None => (None, all_or_nothing(port.ruleset(way), side(way)).to_owned()),
            Some(question) => one_of_many(&question, reason, found),
        };
        let row = |(key, flow)| FlowRow::new(&key, &flow, tables.now_ns(), found.generation);
        Self { flow: flow.or(cut).map(row), rule, rule_text: Some(text) }
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(flow) = &self.flow {
            writeln!(out, "  flow: {}", flow.line())?;
        }
        if let Some(text) = &self.rule_text {
            writeln!(out, "  rule: {text}")?;
        }
        Ok(())
    }
}

const fn side(direction: Direction) -> Side {
    match direction {
        Direction::FromVm => Side::Egress,
        Direction::ToVm => Side::Ingress,
    }
}

/// The flow of this key, if the rules took it back and it is not over yet.
fn cut_flow(key: FlowKey, tables: &HostTables) -> Option<(FlowKey, Flow)> {
    let protocol = u8::try_from(key.protocol).ok()?;
    let flow = tables.flow(&key).filter(|flow| flow.cut != 0 && flow.is_live(protocol, tables.now_ns()))?;
    Some((key, flow))
}

/// Where no single rule had to be looked at.
fn all_or_nothing(ruleset: RulesetId, side: Side) -> &'static str {
    match (side, ruleset == RulesetId::EVERYTHING) {
        (Side::Egress, true) => "no egress rule: everything may leave, but for ICMPv6 types that a rule must name",
        (Side::Egress, false) => "no egress rule is in force: nothing may leave",
        (Side::Ingress, true) => "everything may come in, but for ICMPv6 types that a rule must name",
        (Side::Ingress, false) => "no ingress rule: nothing may come in",
    }
}

/// The rule that answers the question as it was decided, and words for it.
fn one_of_many(question: &Question, reason: Reason, found: &Found) -> (Option<WrittenRow>, String) {
    let interface = &found.image.interface;
    let wanted = found.state.port(interface);
    let rule = wanted.and_then(|wanted| rule(question, reason, wanted));
    let side = side(question.direction).name();
    match (reason.action(), rule) {
        (Action::Pass, Some(rule)) => {
            let text = format!("{}: {}", rule.place(), rule.text());
            (Some(rule), text)
        }
        (Action::Pass, None) => {
            let text = match found.state.unread() {
                Some(error) => format!("a rule allows it, and the state that names it cannot be read: {error}"),
                None => {
                    format!("what is enforced allows it, and no rule of the state: see `ipv6-sg rules {interface}`")
                }
            };
            (None, text)
        }
        (Action::Drop, Some(rule)) => {
            let (place, text) = (rule.place(), rule.text());
            (None, format!("{place} allows it and is not enforced: {text}; see `ipv6-sg rules {interface}`"))
        }
        (Action::Drop, None) => {
            let groups = wanted.and_then(|wanted| wanted.port.security_groups.as_ref());
            let of = groups.map(|groups| format!(" of {}", groups.join(", "))).unwrap_or_default();
            let (verb, what) = if needs_name(reason) { ("names", "its type") } else { ("allows", "it") };
            (None, format!("no {side} rule{of} {verb} {what}"))
        }
    }
}

/// Whether only a rule that names the ICMPv6 type would have done.
fn needs_name(reason: Reason) -> bool {
    reason == Reason::IcmpNeedsRule
}

fn rule(question: &Question, reason: Reason, wanted: Wanted<'_>) -> Option<WrittenRow> {
    let Wanted { model, image, port, .. } = wanted;
    let groups = port.security_groups.as_ref()?;
    let asked = (question.protocol, question.number);
    let decision = deciding_rule(model, image, groups, question.direction, question.peer, asked)?;
    if needs_name(reason) && decision.grant != Grant::NamesType {
        return None;
    }
    let group = model.groups().get(decision.group)?;
    let side = side(question.direction);
    let rules = match side {
        Side::Ingress => &group.ingress,
        Side::Egress => &group.egress,
    };
    Some(WrittenRow::new(&group.name, side, decision.index, rules.get(decision.index)?))
}
