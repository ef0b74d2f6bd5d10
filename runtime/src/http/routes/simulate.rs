//! Running recorded conflicts again, without changing anything.

pub(crate) mod about;

use crate::engine::api::{Outcome, SimulateRequest, SimulatedCase};
use crate::http::extract::{ListKind, Params, encode_cursor, entity_type, object, optional_json_body};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

const FIELDS: [&str; 4] = ["strategy", "settings", "entity_type", "since"];

#[derive(Serialize, JsonSchema)]
struct OutcomeBody<'a> {
    decision: &'static str,
    /// Only a merge has a document of its own.
    data: Option<Raw<'a>>,
    reason: &'a str,
}

impl<'a> From<&'a Outcome> for OutcomeBody<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        Self {
            decision: outcome.decision,
            data: outcome.data.as_ref().map(Raw::from),
            reason: &outcome.reason,
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct CaseBody<'a> {
    conflict_id: &'a str,
    entity_type: &'a str,
    entity_id: &'a str,
    strategy: &'a str,
    same_plugin: bool,
    old_outcome: OutcomeBody<'a>,
    new_outcome: Option<OutcomeBody<'a>>,
    same: Option<bool>,
    error: Option<&'a str>,
    fuel: u64,
}

impl<'a> From<&'a SimulatedCase> for CaseBody<'a> {
    fn from(case: &'a SimulatedCase) -> Self {
        Self {
            conflict_id: &case.conflict_id,
            entity_type: case.key.entity_type.as_str(),
            entity_id: case.key.id.as_str(),
            strategy: &case.strategy,
            same_plugin: case.same_plugin,
            old_outcome: OutcomeBody::from(&case.old_outcome),
            new_outcome: case.new_outcome.as_ref().map(OutcomeBody::from),
            same: case.same,
            error: case.error.as_deref(),
            fuel: case.fuel,
        }
    }
}

/// Of the page, as its cases are.
#[derive(Serialize, JsonSchema)]
struct Totals {
    cases: usize,
    same: usize,
    changed: usize,
    not_run: usize,
    errors: usize,
    fuel: u64,
}

impl Totals {
    fn of(cases: &[SimulatedCase]) -> Self {
        let count =
            |wanted: &dyn Fn(&SimulatedCase) -> bool| cases.iter().filter(|case| wanted(case)).count();
        Self {
            cases: cases.len(),
            same: count(&|case| case.same == Some(true)),
            changed: count(&|case| case.same == Some(false)),
            not_run: count(&|case| case.same.is_none()),
            errors: count(&|case| case.same.is_some() && case.error.is_some()),
            fuel: cases.iter().map(|case| case.fuel).fold(0, u64::saturating_add),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct SimulationBody<'a> {
    cases: Vec<CaseBody<'a>>,
    totals: Totals,
}

/// `POST …/simulate`: without a `strategy` each conflict is run by its own.
pub(crate) async fn post(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let page = Params::of(request.uri())?.page(ListKind::Simulation)?;
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    fields.only(&FIELDS);
    let strategy = fields.optional("strategy");
    let settings = fields.optional("settings");
    let of_type: Option<String> = fields.optional("entity_type");
    let since = fields.optional("since");
    fields.finish()?;
    let entity_type = of_type
        .map(|text| entity_type("entity_type", &text))
        .transpose()?;
    let simulation = http
        .engine
        .simulate(SimulateRequest {
            strategy,
            settings,
            entity_type,
            since,
            page,
        })
        .await?;
    let body = SimulationBody {
        cases: simulation.cases.iter().map(CaseBody::from).collect(),
        totals: Totals::of(&simulation.cases),
    };
    let count = simulation.cases.len();
    let next = simulation
        .next
        .map(|position| encode_cursor(ListKind::Simulation, &position));
    Ok(reply::page("nothing was changed", body, count, next))
}
