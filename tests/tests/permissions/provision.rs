//! `provision`: the custom resources, asked for as CloudFormation asks.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::stage::{Deployed, Stage};

use crate::trial::Trial;
use crate::{aws, stack_with};

/// How long a request may take.
const LIMIT: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(100);
/// What SageMaker's own left-overs are known by.
const DOMAIN: &str = "a-domain-of-the-trial";

pub(crate) async fn does_nothing_without(
    trial: &mut Trial<'_>,
    stage: &Stage,
    deployed: &Deployed,
    project: &str,
) -> anyhow::Result<()> {
    let asked = Asked { stage, stack: stack_with(stage, "HomeDirectories", "DomainName").await? };
    let vpc = asked.parameter("VPCId")?;
    firewalls_endpoints(trial, &asked, deployed).await?;
    rule_group(trial, &asked, project).await?;
    configuration(trial, stage).await?;
    users(trial, &asked, deployed).await?;
    storage(trial, &asked, &vpc).await
}

/// A stack in whose name things are asked for.
struct Asked<'a> {
    stage: &'a Stage,
    stack: Value,
}

impl Asked<'_> {
    fn parameter(&self, name: &str) -> anyhow::Result<String> {
        let all = self.stack["Parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found =
            all.iter().find(|one| one["ParameterKey"] == name).and_then(|one| one["ParameterValue"].as_str());
        Ok(found.with_context(|| format!("the stack has no parameter {name}"))?.to_owned())
    }

    /// Asks for something and waits until the function says what became of it, which has to be that it is done.
    async fn ask(
        &self,
        trial: &Trial<'_>,
        resource: (&str, &str),
        request: &str,
        more: Value,
    ) -> anyhow::Result<String> {
        let (kind, id) = resource;
        let request_id = format!("{id}-{request}");
        let mut event = json!({
            "RequestType": request, "RequestId": request_id, "StackId": self.stack["StackId"], "LogicalResourceId": id,
            "ResourceType": format!("Custom::{kind}"),
            "ResponseURL": format!("{}/_ministack/cfn-response/{request_id}", self.stage.aws.endpoint()),
        });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        if event["ResourceProperties"]["ServiceTimeout"].is_null() {
            event["ResourceProperties"]["ServiceTimeout"] = json!(trial.patience);
        }
        trial.invoke_later(&event).await?;
        let started = Instant::now();
        loop {
            let lines = trial.has_said(&request_id).await?;
            if let Some(line) = lines.iter().find(|line| line.contains("\"message\":\"failed\"")) {
                anyhow::bail!("{line}");
            }
            if let Some(line) = lines.into_iter().find(|line| line.contains("\"message\":\"done\"")) {
                return Ok(line);
            }
            ensure!(started.elapsed() < LIMIT, "{request_id} has no end after {LIMIT:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn firewalls_endpoints(
    trial: &mut Trial<'_>,
    asked: &Asked<'_>,
    deployed: &Deployed,
) -> anyhow::Result<()> {
    let arn = deployed.output("FirewallArn")?;
    let subnet = first(asked.stage, arn).await?;
    let create = async |trial: &Trial<'_>, run: String| {
        let properties = json!({"FirewallArn": arn, "SubnetIds": [subnet]});
        asked
            .ask(trial, ("FirewallEndpoints", &run), "Create", json!({"ResourceProperties": properties}))
            .await
    };
    let nonsense = async |trial: &Trial<'_>, _: String| trial.invoke(&json!({"RequestType": "Create"})).await;
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], nonsense).await?;
    trial.without(&["FirewallEndpoints network-firewall:DescribeFirewall"], create).await
}

/// The subnet of a firewall.
async fn first(stage: &Stage, arn: &str) -> anyhow::Result<String> {
    let client = aws_sdk_networkfirewall::Client::new(&stage.aws.sdk_config());
    let firewall = client.describe_firewall().firewall_arn(arn).send().await?.firewall;
    let subnet = firewall.and_then(|one| one.subnet_mappings.into_iter().next()).context("a subnet")?;
    Ok(subnet.subnet_id)
}

async fn rule_group(trial: &mut Trial<'_>, asked: &Asked<'_>, project: &str) -> anyhow::Result<()> {
    let name = format!("egress-grants-{project}");
    let whole = async |trial: &Trial<'_>, run: String| {
        let capacity = 100 + run.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0_u32);
        let properties = |key: &str, value: &str| {
            let tags = json!([{"Key": key, "Value": "x"}]);
            json!({"RuleGroupName": name, "Capacity": capacity, "Description": value, "Tags": tags})
        };
        let resource = ("GrantRuleGroup", run.as_str());
        let (old, new) = (properties("one", "first"), properties("two", "second"));
        let made = asked.ask(trial, resource, "Create", json!({"ResourceProperties": old})).await?;
        let made: Value = serde_json::from_str(&made)?;
        let id = made["id"].clone();
        let update =
            json!({"ResourceProperties": new, "OldResourceProperties": old, "PhysicalResourceId": id});
        asked.ask(trial, resource, "Update", update).await?;
        let gone = json!({"ResourceProperties": new, "PhysicalResourceId": id});
        asked.ask(trial, resource, "Delete", gone).await
    };
    trial
        .without(
            &[
                "GrantRuleGroup network-firewall:DescribeRuleGroup",
                "GrantRuleGroup network-firewall:CreateRuleGroup",
                "GrantRuleGroup network-firewall:TagResource",
                "GrantRuleGroup network-firewall:UntagResource",
                "GrantRuleGroup network-firewall:UpdateRuleGroup",
                "GrantRuleGroup network-firewall:DeleteRuleGroup",
            ],
            whole,
        )
        .await?;
    Ok(())
}

async fn configuration(trial: &mut Trial<'_>, stage: &Stage) -> anyhow::Result<()> {
    let asked = Asked { stage, stack: stack_with(stage, "Prefix", "Bucket").await? };
    let (bucket, prefix) = (asked.parameter("Bucket")?, asked.parameter("Prefix")?);
    let create = async |trial: &Trial<'_>, run: String| {
        let properties = json!({
            "Bucket": bucket, "ConfigKey": format!("{prefix}/egress.toml"), "PolicyKey": format!("{prefix}/policy.cedar"),
        });
        asked.ask(trial, ("EgressConfig", &run), "Create", json!({"ResourceProperties": properties})).await
    };
    trial.without(&["Configuration s3:GetObject"], create).await
}

async fn users(trial: &mut Trial<'_>, asked: &Asked<'_>, deployed: &Deployed) -> anyhow::Result<()> {
    let domain = deployed.output("SageMakerStudioDomainId")?;
    let (vpc, role) = (asked.parameter("VPCId")?, asked.parameter("ExecutionRoleArn")?);
    let properties = |run: &str, tags: Value| json!({"DomainId": domain, "VpcId": vpc, "UserProfileNames": [run], "ExecutionRole": role, "Tags": tags});
    let create = async |trial: &Trial<'_>, run: &str| {
        let properties = properties(run, json!([{"Key": "one", "Value": "1"}, {"Key": "two", "Value": "2"}]));
        asked.ask(trial, ("StudioUsers", run), "Create", json!({"ResourceProperties": properties})).await
    };
    let come = async |trial: &Trial<'_>, run: String| create(trial, &run).await;
    trial
        .without(
            &[
                "FindPeople sagemaker:ListApps",
                "FindPeople sagemaker:ListSpaces",
                "FindPeople sagemaker:ListUserProfiles",
                "MakeSecurityGroups ec2:CreateSecurityGroup",
                "InTheVpc ec2:CreateSecurityGroup",
                "TagNewSecurityGroups ec2:CreateTags",
                "OwnSecurityGroups ec2:AuthorizeSecurityGroupIngress",
                "OwnSecurityGroups ec2:CreateTags",
                "UserProfiles sagemaker:CreateUserProfile",
                "UserProfiles sagemaker:AddTags",
                "RoleOfTheNotebooks iam:PassRole",
            ],
            come,
        )
        .await?;
    let change = async |trial: &Trial<'_>, run: String| {
        let made: Value = serde_json::from_str(&create(trial, &run).await?)?;
        let old = properties(&run, json!([{"Key": "one", "Value": "1"}, {"Key": "two", "Value": "2"}]));
        let new = properties(&run, json!([{"Key": "one", "Value": "other"}]));
        let update = json!({"ResourceProperties": new, "OldResourceProperties": old, "PhysicalResourceId": made["id"]});
        asked.ask(trial, ("StudioUsers", &run), "Update", update).await
    };
    trial
        .without(
            &[
                "UserProfiles sagemaker:UpdateUserProfile",
                "UserProfiles sagemaker:DescribeUserProfile",
                "UserProfiles sagemaker:DeleteTags",
                "OwnSecurityGroups ec2:DeleteTags",
            ],
            change,
        )
        .await?;
    let leave = async |trial: &Trial<'_>, run: String| {
        let made: Value = serde_json::from_str(&create(trial, &run).await?)?;
        asked.stage.works_in_a_space(domain, &run).await?;
        let tags = json!([{"Key": "one", "Value": "1"}, {"Key": "two", "Value": "2"}]);
        let gone = json!({"ResourceProperties": properties(&run, tags), "PhysicalResourceId": made["id"]});
        asked.ask(trial, ("StudioUsers", &run), "Delete", gone).await
    };
    trial
        .without(
            &[
                "RemoveApps sagemaker:DeleteApp",
                "RemoveSpaces sagemaker:DeleteSpace",
                "UserProfiles sagemaker:DeleteUserProfile",
                "OwnSecurityGroups ec2:DeleteSecurityGroup",
            ],
            leave,
        )
        .await?;
    // What isn't done when an invocation ends is gone on with by another one: a rule group that is in use stays.
    let group = deployed.output("GrantRuleGroupArn")?;
    let long = async |trial: &Trial<'_>, run: String| {
        let properties = json!({"RuleGroupName": "x", "Capacity": 1, "ServiceTimeout": 10});
        let gone = json!({"ResourceProperties": properties, "PhysicalResourceId": group});
        let ended = asked.ask(trial, ("GrantRuleGroup", &run), "Delete", gone).await;
        anyhow::Ok(ended.unwrap_or_else(|error| format!("{error:#}")))
    };
    trial.set_timeout(4).await?;
    trial.without(&["GoOn lambda:InvokeFunction"], long).await?;
    trial.set_timeout(900).await
}

/// A domain made beside the stack's, in its VPC, and deleted: what it leaves is removed. Each permission is taken when
/// it is needed next, since what was done before stays done.
async fn storage(trial: &mut Trial<'_>, asked: &Asked<'_>, vpc: &str) -> anyhow::Result<()> {
    let (role, subnets) = (asked.parameter("ExecutionRoleArn")?, asked.parameter("SubnetIds")?);
    let settings = json!({"ExecutionRole": role}).to_string();
    let create =
        ["sagemaker", "create-domain", "--domain-name", DOMAIN, "--auth-mode", "IAM", "--vpc-id", vpc];
    let more = ["--default-user-settings", &settings, "--subnet-ids"];
    let subnets: Vec<&str> = subnets.split(',').collect();
    let made = aws(asked.stage, &[&create[..], &more[..], &subnets[..]].concat()).await?;
    let made: Value = serde_json::from_str(&made)?;
    let arn = made["DomainArn"].as_str().context("a domain's ARN")?;
    let id = arn.rsplit('/').next().unwrap_or_default();
    until(asked.stage, id, "InService").await?;
    let retain = ["--retention-policy", "HomeEfsFileSystem=Retain"];
    aws(asked.stage, &[&["sagemaker", "delete-domain", "--domain-id", id][..], &retain[..]].concat()).await?;
    until(asked.stage, id, "").await?;
    let clear = async |trial: &Trial<'_>, run: String| {
        let properties = json!({"VpcId": vpc, "HomeDirectories": "Delete"});
        let gone =
            json!({"ResourceProperties": properties, "PhysicalResourceId": format!("studio-storage-{vpc}")});
        asked.ask(trial, ("StudioStorage", &run), "Delete", gone).await
    };
    trial
        .without(
            &[
                "FindNfsSecurityGroups ec2:DescribeSecurityGroups",
                "FindHomeDirectories elasticfilesystem:DescribeFileSystems",
                "FindHomeDirectories elasticfilesystem:DescribeMountTargets",
                "WhetherADomainLives sagemaker:DescribeDomain",
                "RemoveHomeDirectories elasticfilesystem:DeleteMountTarget",
                "RemoveInterfacesOfMountTargets ec2:DeleteNetworkInterface",
                "RemoveHomeDirectories elasticfilesystem:DeleteFileSystem",
                "FindNfsSecurityGroups ec2:DescribeNetworkInterfaces",
                "FindNfsSecurityGroups ec2:DescribeSecurityGroupRules",
                "RemoveNfsSecurityGroups ec2:RevokeSecurityGroupIngress",
                "RemoveNfsSecurityGroups ec2:RevokeSecurityGroupEgress",
                "RemoveNfsSecurityGroups ec2:DeleteSecurityGroup",
            ],
            clear,
        )
        .await
}

/// Waits until a domain is in a state, or, without one, gone.
async fn until(stage: &Stage, id: &str, status: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let domains: Value = serde_json::from_str(&aws(stage, &["sagemaker", "list-domains"]).await?)?;
        let all = domains["Domains"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = all.iter().find(|domain| domain["DomainId"] == id).map(|domain| domain["Status"].clone());
        if found.map_or(status.is_empty(), |found| found == status) {
            return Ok(());
        }
        ensure!(started.elapsed() < LIMIT, "the domain {id} is not {status:?} after {LIMIT:?}");
        tokio::time::sleep(LOOK).await;
    }
}
