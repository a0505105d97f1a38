//! The answer to `get_rule_logs_for_vms`: which rules are in force, by VM, in the one form that the management server reads.
//!
//! `name,id,ip,domain,signature,sequence;…` in one line. It sends the rules of a VM again when the number is not its own, and
//! never those of a VM that is missing.

use std::collections::BTreeMap;
use std::fmt;

/// What default rules without others are called.
const INITIAL: (&str, i64) = ("_initial_", -1);

/// What is in force for a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLog {
    /// The VM's name.
    pub vm: String,
    /// The management server's number.
    pub id: String,
    /// Its IPv4 address, or another.
    pub ip: String,
    /// libvirt's number.
    pub domain: String,
    /// What the management server tells its rules by.
    pub signature: String,
    /// The number of its rules; -1 for none.
    pub sequence: i64,
}

impl RuleLog {
    /// With the default rules and no others.
    pub fn initial(vm: String, id: String, ip: String, domain: String) -> Self {
        let (signature, sequence) = (INITIAL.0.to_owned(), INITIAL.1);
        Self { vm, id, ip, domain, signature, sequence }
    }

    /// A VM's part of an answer; `None` for what is none.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<_> = text.split(',').map(|field| field.trim().to_owned()).collect();
        let [vm, id, ip, domain, signature, sequence] = fields.try_into().ok()?;
        let sequence = sequence.parse().ok()?;
        Some(Self { vm, id, ip, domain, signature, sequence })
    }
}

/// The answer to the management server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleLogs {
    vms: BTreeMap<String, RuleLog>,
}

impl FromIterator<RuleLog> for RuleLogs {
    fn from_iter<I: IntoIterator<Item = RuleLog>>(logs: I) -> Self {
        Self { vms: logs.into_iter().map(|log| (log.vm.clone(), log)).collect() }
    }
}

impl RuleLogs {
    /// An answer, of this program or of the stock script. What is no VM's part is left out: such a VM's rules are sent again.
    pub fn parse(text: &str) -> Self {
        text.split([';', '\n']).filter_map(RuleLog::parse).collect()
    }

    /// What is in force in both filters, this program's and the stock script's: a VM's rules are sent again where
    /// the two have other ones, or one has none.
    #[must_use]
    pub fn both(self, mut other: Self) -> Self {
        let merged = self.vms.into_values().map(|log| match other.vms.remove(&log.vm) {
            Some(same) if (&same.signature, same.sequence) == (&log.signature, log.sequence) => same,
            _ => RuleLog::initial(log.vm, log.id, log.ip, log.domain),
        });
        let merged: Vec<_> = merged.collect();
        let rest = other.vms.into_values().map(|log| RuleLog::initial(log.vm, log.id, log.ip, log.domain));
        merged.into_iter().chain(rest).collect()
    }
}

impl fmt::Display for RuleLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (log, index) in self.vms.values().zip(0..) {
            let separator = if index == 0 { "" } else { ";" };
            let RuleLog { vm, id, ip, domain, signature, sequence } = log;
            write!(f, "{separator}{vm},{id},{ip},{domain},{signature},{sequence}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        let text = "i-2-5-VM,5,10.1.1.5,3,4a5c,7;i-2-6-VM,6,10.1.1.6,4,_initial_,-1";
        assert_eq!(RuleLogs::parse(text).to_string(), text);
        assert_eq!(RuleLogs::parse(&format!("{text};\n")).to_string(), text);
        assert_eq!(RuleLogs::parse("").to_string(), "");
        // Words of the stock script beside its answer, and parts that are none.
        assert_eq!(RuleLogs::parse(&format!("a warning, of sorts\n{text};x,y;a,b,c,d,e,f")).to_string(), text);
    }

    #[test]
    fn what_two_filters_have() {
        let both = |one: &str, other: &str| RuleLogs::parse(one).both(RuleLogs::parse(other)).to_string();
        let (five, old) = ("i-2-5-VM,5,10.1.1.5,3,4a5c,7", "i-2-5-VM,5,10.1.1.5,3,4a5c,6");
        let none = "i-2-5-VM,5,10.1.1.5,3,_initial_,-1";
        assert_eq!(both(five, five), five);
        for (one, other) in [(five, old), (old, five), (five, none), (five, ""), ("", five), (none, none)] {
            assert_eq!(both(one, other), none, "{one:?} {other:?}");
        }
        let six = "i-2-6-VM,6,10.1.1.6,4,b,1";
        assert_eq!(both(&format!("{six};{five}"), &format!("{five};{six}")), format!("{five};{six}"));
    }
}
