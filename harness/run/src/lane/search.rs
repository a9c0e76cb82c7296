//! One search of one tenant through a store.

use std::sync::PoisonError;

use coalmine_core::history::{Answer, Happening};
use coalmine_core::plan::Op;
use coalmine_core::step::{LogSearch, PostgresSearch, RedisSearch, Step};
use coalmine_core::template::Template;

use super::{Lane, kept, limit};
use crate::due::Unsent;
use crate::observe::Observer;
use crate::{logs, postgres, redis};

impl Lane {
    pub(super) async fn search_postgres(
        &mut self,
        op: &Op,
        step: &Step,
        search: &PostgresSearch,
    ) -> Result<Happening, Unsent> {
        let round = self.round.clone();
        let address = self.filled(op, &search.address)?;
        let settings = search.settings.iter().map(|(name, value)| Ok((name.clone(), self.filled(op, value)?)));
        let settings = settings.collect::<Result<Vec<_>, Unsent>>()?;
        let tells_tables = || round.told_tables.lock().unwrap_or_else(PoisonError::into_inner).insert(op.step);
        self.search(op, step, async |observer| {
            let search = postgres::Search {
                address: &address,
                settings: &settings,
                tables: &search.tables,
                tenant_columns: tells_tables().then_some(&search.tenant_columns),
                time_ms_max: step.time_limit_ms,
            };
            search.run(&round.destinations, observer).await
        })
        .await
    }

    pub(super) async fn search_redis(
        &mut self,
        op: &Op,
        step: &Step,
        search: &RedisSearch,
    ) -> Result<Happening, Unsent> {
        let round = self.round.clone();
        let address = self.filled(op, &search.address)?;
        let names = search.names.iter().map(|name| self.filled(op, name)).collect::<Result<Vec<_>, Unsent>>()?;
        self.search(op, step, async |observer| {
            let search = redis::Search { address: &address, keys: &search.keys, names: &names };
            search.run(&round.destinations, observer).await
        })
        .await
    }

    pub(super) async fn search_logs(&mut self, op: &Op, step: &Step, search: &LogSearch) -> Result<Happening, Unsent> {
        let files = search.files.iter().map(|file| self.filled(op, file)).collect::<Result<Vec<_>, Unsent>>()?;
        let mentions = self.filled(op, &search.mentions)?;
        let search = logs::Search { files, mentions };
        self.search(op, step, async |observer| search.run(observer).await).await
    }

    fn filled(&self, op: &Op, text: &Template) -> Result<String, Unsent> {
        text.fill(&self.values(op)).map_err(|unfilled| self.unfilled(op, unfilled))
    }

    async fn search(
        &mut self,
        op: &Op,
        step: &Step,
        look: impl AsyncFnOnce(&mut Observer<'_>) -> Result<(), String>,
    ) -> Result<Happening, Unsent> {
        let round = self.round.clone();
        // Only so many tenants search at a time: the application needs sessions of the store as well.
        let _permit = round.searches.acquire().await.map_err(|_| Unsent::Skipped("the round is over".to_owned()))?;
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        self.invoke(op.id, None);
        let controls = self.controls(op, step);
        let own = kept(&round, op, step, &controls);
        let mut observer = Observer::new(&round.plan, &round.lens, &self.principal, own, false);
        let outcome = tokio::time::timeout(limit(step), look(&mut observer)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("the search took longer than {:?}", limit(step))));
        let answer = Answer { receipt: observer.finish().0, ..Answer::default() };
        Ok(match outcome {
            Ok(()) => Happening::Ok(answer),
            Err(why) => Happening::Fail { answer, why },
        })
    }
}
