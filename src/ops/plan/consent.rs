//! Consent is a type: only [`Plan::approve`] makes an [`Approved`], and only an `Approved` can be started.

use crate::domain::instance::Protection;
use crate::domain::problem::{Problem, ProblemKind};
use crate::ops::plan::{Plan, Risk};

/// What a plan needs before it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// A yes.
    Yes,
    /// This text, typed.
    Typed(String),
}

impl Need {
    /// The flags that give it on the command line.
    pub fn flags(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Yes => " --yes".to_owned(),
            Self::Typed(text) => format!(" --yes --confirm '{text}'"),
        }
    }
}

/// What the user gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Nothing.
    None,
    /// A yes: the button, or `--yes`.
    Yes,
    /// A yes, and this typed text. Compared here and not in the dialog.
    Typed(String),
}

/// A plan with consent. Only [`Plan::approve`] makes one.
#[derive(Debug)]
pub struct Approved {
    plan: Plan,
    part_of: Option<String>,
}

impl Approved {
    /// The plan that was approved.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan, and the operation that it is a part of.
    pub(in crate::ops) fn into_parts(self) -> (Plan, Option<String>) {
        (self.plan, self.part_of)
    }

    /// Makes it a part of an operation that runs, by its id.
    pub(in crate::ops) fn part_of(self, whole: String) -> Self {
        Self { part_of: Some(whole), ..self }
    }
}

impl Plan {
    /// What consent is needed.
    ///
    /// Destruction always needs the typed address; on a protected instance whatever changes data does.
    /// Taking a snapshot changes no data: a yes is enough there too.
    pub fn need(&self) -> Need {
        let Some((address, protection)) = &self.changes else {
            return match (self.risk, &self.ask) {
                (Risk::Safe, _) => Need::Nothing,
                // No collection changes, but what is destroyed has a name: that of the repository.
                (Risk::Destroys, Some(name)) => Need::Typed(name.clone()),
                _ => Need::Yes,
            };
        };
        let name = self.ask.clone().unwrap_or_else(|| address.to_string());
        match (self.risk, protection) {
            (Risk::Destroys, _) => Need::Typed(name),
            (_, Protection::Protected) if !self.only_saves => Need::Typed(name),
            (_, Protection::Protected) | (Risk::Changes, _) => Need::Yes,
            (Risk::Safe, _) => Need::Nothing,
        }
    }

    /// The only door to execution.
    pub fn approve(self, consent: &Consent) -> Result<Approved, Problem> {
        let refuse = |message: String| Problem::new(ProblemKind::Refused, message, &self.target);
        if let Some(finding) = self.blocked().first() {
            return Err(refuse(finding.message.clone()).advise(&finding.advice));
        }
        if let Some((address, Protection::ReadOnly)) = &self.changes {
            return Err(refuse(format!("{} is read-only for qsnap", address.instance))
                .advise("change `protection` in the configuration, or leave out --read-only, if this is meant to be changed"));
        }
        match (self.need(), consent) {
            (Need::Nothing, _) | (Need::Yes, Consent::Yes | Consent::Typed(_)) => Ok(Approved { plan: self, part_of: None }),
            (Need::Typed(expected), Consent::Typed(typed)) if *typed == expected => Ok(Approved { plan: self, part_of: None }),
            (Need::Typed(expected), Consent::Typed(_)) => Err(refuse("the typed address is not the one that changes".into())
                .advise(format!("type exactly {expected}, or leave it"))),
            (Need::Typed(expected), _) => Err(refuse(format!("this needs the address typed: {}", self.why_typed()))
                .advise(format!("give --yes --confirm '{expected}', after reading the plan (--dry-run)"))),
            (Need::Yes, Consent::None) => {
                Err(refuse("this needs a yes".into()).advise("give --yes, after reading the plan (--dry-run)"))
            }
        }
    }

    fn why_typed(&self) -> &str {
        if self.consequence.is_empty() { "the instance is protected" } else { &self.consequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::plan::finding::Finding;
    use crate::ops::plan::tests::plan_of;

    #[test]
    fn destruction_needs_the_exact_typed_address() {
        for protection in [Protection::Open, Protection::Protected] {
            let approve = |consent| plan_of(Risk::Destroys, Some(protection)).approve(&consent);
            assert!(approve(Consent::None).is_err());
            assert!(approve(Consent::Yes).is_err());
            for typed in ["products", "staging/products ", "Staging/products", ""] {
                assert_eq!(approve(Consent::Typed(typed.into())).unwrap_err().kind, ProblemKind::Refused, "{typed:?}");
            }
            assert!(approve(Consent::Typed("staging/products".into())).is_ok());
        }
    }

    #[test]
    fn protected_instances_raise_the_bar_and_read_only_ones_close_the_door() {
        assert_eq!(plan_of(Risk::Changes, Some(Protection::Open)).need(), Need::Yes);
        assert_eq!(plan_of(Risk::Changes, Some(Protection::Protected)).need(), Need::Typed("staging/products".into()));
        assert_eq!(plan_of(Risk::Safe, None).need(), Need::Nothing);
        let typed = Consent::Typed("staging/products".into());
        for risk in [Risk::Safe, Risk::Changes, Risk::Destroys] {
            assert!(plan_of(risk, Some(Protection::ReadOnly)).approve(&typed).is_err());
        }
    }

    #[test]
    fn a_blocked_plan_cannot_be_approved() {
        let mut plan = plan_of(Risk::Safe, None);
        plan.findings.push(Finding::block("version", "too old", "upgrade"));
        let problem = plan.approve(&Consent::Yes).unwrap_err();
        assert_eq!((problem.message.as_str(), problem.advice.as_str()), ("too old", "upgrade"));
    }
}
