//! What every ledger keeps to, held against the one in memory, on which the stories of `requests` run, and
//! against the one on `DynamoDB`; and what `alerts` writes there for the ledger to read.

#[cfg(test)]
mod contract;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod spells;
#[cfg(test)]
mod table;
