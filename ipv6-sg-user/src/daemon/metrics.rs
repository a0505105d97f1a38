//! Counters for Prometheus.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use ipv6_sg_common::abi::{Direction, MAX_PEERS, MAX_SERVICES};
use ipv6_sg_common::verdict::{Action, Reason};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::health::Health;
use crate::kernel::{Inspect, Pins, RuleUse};

/// What a count is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    interface: String,
    direction: &'static str,
    verdict: &'static str,
    reason: &'static str,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Interface {
    interface: String,
}

/// Somebody who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: &'static str,
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot serve metrics on {address}: set another address in `metrics`, or remove the key")
    })
}

/// Where what is told comes from.
#[derive(Clone)]
pub(super) struct Sources {
    /// The pinned maps.
    pub(super) pins: Pins,
    /// What the enforcer knows of those maps that are too large to be read each time.
    pub(super) rule_use: watch::Receiver<RuleUse>,
    /// What the steward knows of those who are asked.
    pub(super) health: watch::Receiver<Health>,
}

pub(super) async fn serve(listener: TcpListener, sources: Sources) {
    let router = Router::new().route("/metrics", get(metrics)).with_state(sources);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("metrics have ended: {error}");
    }
}

async fn metrics(State(Sources { pins, rule_use, health }): State<Sources>) -> impl IntoResponse {
    let (rule_use, health) = (*rule_use.borrow(), *health.borrow());
    // Reading maps blocks for microseconds a port; the runtime has other things to do meanwhile.
    let text = tokio::task::spawn_blocking(move || encode(&pins, rule_use, health)).await;
    match text {
        Ok(Ok(text)) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

fn encode(pins: &Pins, rule_use: RuleUse, health: Health) -> Result<String> {
    let inspect = Inspect::open(pins.clone())?;
    let names = super::links::present().context("cannot list interfaces")?;
    let (packets, bytes) = (Family::<Labels, Counter>::default(), Family::<Labels, Counter>::default());
    let suppressed = Family::<Interface, Counter>::default();
    let ports = Gauge::<i64>::default();
    let strays = Counter::<u64>::default();
    let counters = inspect.counters()?;
    ports.set(i64::try_from(counters.len()).unwrap_or(i64::MAX));
    strays.inc_by(inspect.strays()?.packets);
    for (ifindex, counters) in &counters {
        let Some(link) = names.iter().find(|link| link.ifindex == *ifindex) else { continue };
        for direction in Direction::ALL {
            for reason in Reason::ALL {
                let count = counters.direction(direction).of(reason);
                // A port has some 150 counts, most of them 0 forever.
                if count.packets == 0 {
                    continue;
                }
                let verdict = match reason.action() {
                    Action::Pass => "pass",
                    Action::Drop => "drop",
                };
                let labels = Labels {
                    interface: link.interface.clone(),
                    direction: direction.name(),
                    verdict,
                    reason: reason.name(),
                };
                packets.get_or_create(&labels).inc_by(count.packets);
                bytes.get_or_create(&labels).inc_by(count.bytes);
            }
        }
        let interface = Interface { interface: link.interface.clone() };
        suppressed.get_or_create(&interface).inc_by(counters.suppressed);
    }
    let mut registry = Registry::with_prefix("ipv6_sg");
    register_rules(&mut registry, rule_use);
    register_health(&mut registry, health);
    registry.register("packets", "Packets that crossed a port or were dropped there", packets);
    registry.register("bytes", "Bytes that crossed a port or were dropped there", bytes);
    registry.register("suppressed_events", "Drops that were counted but not reported as an event", suppressed);
    registry.register("ports", "Guarded interfaces", ports);
    registry.register("stray_packets", "Packets dropped on interfaces without a port", strays);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).context("cannot encode metrics")?;
    // The encoder ends the text; a newline after the end marker is what some parsers want.
    if !text.ends_with('\n') {
        writeln!(text)?;
    }
    Ok(text)
}

/// Whether those who are asked answer.
fn register_health(registry: &mut Registry, health: Health) {
    let up = Family::<Source, Gauge>::default();
    for (source, answers) in health.sources() {
        up.get_or_create(&Source { source }).set(answers.into());
    }
    registry.register(
        "source_up",
        "Whether a source answered when it was asked last; if not, what it said before holds",
        up,
    );
}

/// The rules of all ports together. How many flows there are is not told: that takes reading all of them.
fn register_rules(registry: &mut Registry, rules: RuleUse) {
    let RuleUse { generation, rulesets, peers, services } = rules;
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    for (name, help, value) in [
        ("rules_generation", "Changes with every change of what the rules allow", generation.into()),
        ("rulesets", "Distinct sets of rules that know a peer", number(rulesets)),
        ("peers", "Prefixes of peers of all rulesets", number(peers)),
        ("peers_max", "How many a host can have", MAX_PEERS.into()),
        ("services", "Services of all classes of peers", number(services)),
        ("services_max", "How many a host can have", MAX_SERVICES.into()),
    ] {
        let gauge = Gauge::<i64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
}
