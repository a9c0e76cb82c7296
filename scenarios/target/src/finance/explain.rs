//! A month in words, as an assistant puts it.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::summary::{Summary, summarise};
use super::transactions::Period;
use crate::caller::Caller;
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::App;

#[derive(Serialize, JsonSchema)]
pub(super) struct Explanation {
    month: String,
    explanation: String,
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
) -> Result<Json<Explanation>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let summary = service.store.run(move |db| summarise(db, &user_id, month)).await?;
    let explanation = in_words(&summary);
    Ok(Json(Explanation { month: summary.month, explanation }))
}

fn in_words(summary: &Summary) -> String {
    let Summary { month, count, total, largest, last } = summary;
    let Some((largest, last)) = largest.as_ref().zip(last.as_ref()) else {
        return format!("Nothing was booked in {month}.");
    };
    let (whole, cents) = (total / 100, (total % 100).abs());
    format!(
        "In {month} you booked {count} times, {whole}.{cents:02} in all. The largest was \"{}\", the last \"{}\".",
        largest.description, last.description
    )
}

#[cfg(test)]
mod tests {
    use super::super::summary::{Item, Summary};
    use super::in_words;

    fn month(items: &[(&str, i64)]) -> Summary {
        let item =
            |(description, amount): &(&str, i64)| Item { description: (*description).to_owned(), amount: *amount };
        Summary {
            month: "2026-01".to_owned(),
            count: i64::try_from(items.len()).unwrap(),
            total: items.iter().map(|(_, amount)| amount).sum(),
            largest: items.iter().max_by_key(|(_, amount)| *amount).map(item),
            last: items.last().map(item),
        }
    }

    #[test]
    fn a_month_is_told_by_its_largest_and_its_last() {
        let told = in_words(&month(&[("rent", 120_000), ("tea", 305)]));
        assert_eq!(told, "In 2026-01 you booked 2 times, 1203.05 in all. The largest was \"rent\", the last \"tea\".");
    }

    #[test]
    fn an_empty_month_is_told_as_that() {
        assert_eq!(in_words(&month(&[])), "Nothing was booked in 2026-01.");
    }
}
