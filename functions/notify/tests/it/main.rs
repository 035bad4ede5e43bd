//! The function's tests, in one binary.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod channels;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod events;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod only_text;
