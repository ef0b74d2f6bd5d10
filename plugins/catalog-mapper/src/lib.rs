//! x
use selaras_sdk::*;
pub struct M;
impl Mapper for M {
    fn to_cloud(_cx: &Context, d: &Document) -> Result<Outcome, Error> {
        Ok(Outcome::Put(d.clone()))
    }
    fn to_local(_cx: &Context, d: &Document) -> Result<Outcome, Error> {
        Ok(Outcome::Put(d.clone()))
    }
}
export_mapper!(M);
