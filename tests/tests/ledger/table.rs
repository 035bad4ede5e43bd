//! A table on the local AWS.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    Projection, ProjectionType, ScalarAttributeType,
};
use egress::aws::DynamoLedger;
use tests::local_aws::LocalAws;

/// The table, and the local AWS that it is on.
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) aws: LocalAws,
}

const NAME: &str = "ledger";

fn keys(hash: &str, range: &str) -> anyhow::Result<Vec<KeySchemaElement>> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![key(hash, KeyType::Hash)?, key(range, KeyType::Range)?])
}

impl Table {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let aws = LocalAws::start().await?;
        let client = Client::new(&aws.sdk_config());
        let mut table = client.create_table().table_name(NAME).billing_mode(BillingMode::PayPerRequest);
        for name in ["pk", "sk", "due", "due_at"] {
            let attribute = AttributeDefinition::builder().attribute_name(name);
            table = table.attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build()?);
        }
        let due =
            GlobalSecondaryIndex::builder().index_name("due").set_key_schema(Some(keys("due", "due_at")?));
        let only_keys = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        table = table.set_key_schema(Some(keys("pk", "sk")?));
        table = table.global_secondary_indexes(due.projection(only_keys).build()?);
        table.send().await?;
        Ok(Self { client, aws })
    }

    pub(crate) fn ledger(&self) -> DynamoLedger {
        DynamoLedger::new(self.client.clone(), NAME.to_owned())
    }

    pub(crate) fn name() -> String {
        NAME.to_owned()
    }

    /// Puts an item that no code of ours would.
    pub(crate) async fn put_by_hand(&self, pk: &str, sk: &str) -> anyhow::Result<()> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self.client.put_item().table_name(NAME).item("pk", text(pk)).item("sk", text(sk));
        put.item("body", text("by hand")).send().await?;
        Ok(())
    }

    /// All items, in the order of their keys.
    pub(crate) async fn items(&self) -> anyhow::Result<Vec<HashMap<String, AttributeValue>>> {
        let mut pages = self.client.scan().table_name(NAME).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item?);
        }
        let key = |item: &HashMap<String, AttributeValue>| format!("{:?} {:?}", item["pk"], item["sk"]);
        items.sort_by_key(key);
        Ok(items)
    }
}
