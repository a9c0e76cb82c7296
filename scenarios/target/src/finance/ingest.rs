//! Uploads of transactions as CSV, looked through before they are stored. Home of `finance.ingest-owner`.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::transactions::{Draft, Period, insert, is_month};
use crate::answer::Created;
use crate::caller::Caller;
use crate::input::Params;
use crate::names::Names;
use crate::refusal::Refusal;
use crate::service::App;

/// A line of the file: `description,amount`, the amount in cents.
#[derive(Deserialize, JsonSchema)]
struct Line {
    description: String,
    amount: i64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Taken {
    rows: usize,
}

/// An upload under way, ended also where its client hangs up.
struct Upload {
    service: App,
    number: u64,
}

impl Upload {
    fn begin(service: &App, user_id: String) -> Self {
        let number = service.next_request();
        service.finance.uploaders.enter(number, user_id);
        Self { service: App::clone(service), number }
    }

    /// Whose rows these are: who uploads them, unless the place where that stands is one for all.
    fn owner(&self) -> Result<String, Refusal> {
        self.service.finance.uploaders.current(self.number).ok_or(Refusal::Fault)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.service.finance.uploaders.leave(self.number);
    }
}

pub(super) async fn upload(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
    file: String,
) -> Result<Created<Taken>, Refusal> {
    if !is_month(&month) {
        return Err(Refusal::BadRequest("month must look like 2026-01"));
    }
    let upload = Upload::begin(&service, caller.identity.user_id.clone());
    let lines = lines(&service.config.names, &file)?;
    tokio::time::sleep(service.config.inspection_latency).await;
    let owner = upload.owner()?;
    let wing = App::clone(&service);
    let storing = service.store.run(move |db| {
        let rows = lines.len();
        for Line { description, amount } in lines {
            insert(db, owner.clone(), Draft { month: month.clone(), description, amount })?;
        }
        wing.finance.forget(&owner, &month);
        Ok(Taken { rows })
    });
    Ok(Created(storing.await?))
}

fn lines(names: &Names, file: &str) -> Result<Vec<Line>, Refusal> {
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let no_table = |_| Refusal::BadRequest("the file must have the columns description and amount");
    let head = reader.headers().map_err(no_table)?.iter().map(|name| names.word(name)).collect();
    reader.set_headers(head);
    reader.deserialize().collect::<csv::Result<_>>().map_err(no_table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str) -> Result<Vec<Line>, Refusal> {
        super::lines(&Names::default(), file)
    }

    #[test]
    fn file_has_two_columns_in_any_order() {
        let read = lines("amount,description\r\n5,\"a, b\"\r\n").unwrap();
        assert_eq!((read[0].description.as_str(), read[0].amount), ("a, b", 5));
        assert!(lines("description\na\n").is_err());
        assert!(lines("description,amount\na,much\n").is_err());
        assert!(lines("").unwrap().is_empty());
    }
}
