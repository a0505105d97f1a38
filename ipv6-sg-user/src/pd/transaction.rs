//! All or nothing, and once more where two wanted the same.

use std::time::Duration;

use super::{PdError, Pool};

/// How often something is tried that others have been in the way of.
const ATTEMPTS: u32 = 10;

impl Pool {
    /// Does something as a whole. Where another transaction was in the way, nothing of it is done, and it is done again.
    pub(super) async fn at_once<T>(
        &mut self,
        work: impl AsyncFn(&mut Self) -> Result<T, PdError>,
    ) -> Result<T, PdError> {
        let mut attempt = 1;
        loop {
            let error = match self.once(&work).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let again = matches!(&error, PdError::Kea(error) if error.is_busy() || error.is_overlap());
            if !again || attempt == ATTEMPTS {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(5) * attempt).await;
            attempt += 1;
        }
    }

    async fn once<T>(&mut self, work: &impl AsyncFn(&mut Self) -> Result<T, PdError>) -> Result<T, PdError> {
        self.find().await?;
        self.database.begin().await?;
        match work(self).await {
            Ok(done) => {
                self.database.commit().await?;
                Ok(done)
            }
            Err(error) => {
                // What cannot be undone now is undone by the database, when it misses us.
                let _ = self.database.roll_back().await;
                Err(error)
            }
        }
    }
}
