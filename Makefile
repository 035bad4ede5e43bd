# Studio Egress.  `make help` lists the targets.
#
# Nothing below has to be set but CFN_ARTEFACT_S3_BUCKET, and that for `deploy` and `package` only. What
# is left unset keeps the template's default on a first deployment, and its last value on the next ones;
# what is set to nothing (DENIED_DOMAINS=) is emptied.

# The bucket for templates and code, in the Region of the stack.
CFN_ARTEFACT_S3_BUCKET ?=

# root: all of it. automation: the functions alone, beside a firewall that is there.
TEMPLATE ?= root
ifeq ($(filter root automation,$(TEMPLATE)),)
$(error TEMPLATE is root or automation, not '$(TEMPLATE)')
endif
APP_STACK_NAME ?= $(APP_STACK_NAME_$(TEMPLATE))
APP_STACK_NAME_root := sagemaker-studio-demo
APP_STACK_NAME_automation := studio-egress

# `delete` deletes what is in the data and the model bucket, too.
EMPTY_BUCKETS ?= false
# `delete` of the functions alone leaves grants open that nobody will end.
LEAVE_GRANTS ?= false

# The stack's parameters, by the template's name for each.
PARAMETERS = $(PARAMETERS_$(TEMPLATE))
PARAMETERS_of_both := \
	IntakeConcurrency:INTAKE_CONCURRENCY \
	SlackSecretArn:SLACK_SECRET_ARN \
	SlackTokenSecretArn:SLACK_TOKEN_SECRET_ARN \
	TeamsSecretArn:TEAMS_SECRET_ARN \
	TeamsBotSecretArn:TEAMS_BOT_SECRET_ARN \
	TicketSecretsArn:TICKET_SECRETS_ARN \
	TicketAuthorizationsArn:TICKET_AUTHORIZATIONS_ARN \
	PartnerEventBusName:PARTNER_EVENT_BUS_NAME \
	PartnerAdapter:PARTNER_ADAPTER \
	SecurityHubFindings:SECURITY_HUB_FINDINGS \
	AlarmEmail:ALARM_EMAIL
PARAMETERS_root := \
	ProjectName:PROJECT_NAME \
	DomainName:SM_DOMAIN_NAME \
	UserProfileName:SM_USER_PROFILE_NAME \
	AdditionalUserProfileNames:SM_ADDITIONAL_USER_PROFILE_NAMES \
	VPCCIDR:VPC_CIDR \
	FirewallSubnetCIDR:FIREWALL_SN_CIDR \
	NATGatewaySubnetCIDR:NAT_GW_SN_CIDR \
	SageMakerStudioSubnetCIDR:SAGEMAKER_SN_CIDR \
	AvailabilityZones:AVAILABILITY_ZONES \
	SecondZoneCIDRs:SECOND_ZONE_CIDRS \
	ThirdZoneCIDRs:THIRD_ZONE_CIDRS \
	FirewallPlacement:FIREWALL_PLACEMENT \
	AllowedDomains:ALLOWED_DOMAINS \
	DeniedDomains:DENIED_DOMAINS \
	AdditionalRuleGroupArns:ADDITIONAL_RULE_GROUP_ARNS \
	BlockAction:BLOCK_ACTION \
	GrantCapacity:GRANT_CAPACITY \
	DeleteProtection:DELETE_PROTECTION \
	SubnetChangeProtection:SUBNET_CHANGE_PROTECTION \
	FirewallPolicyChangeProtection:FIREWALL_POLICY_CHANGE_PROTECTION \
	HomeDirectories:HOME_DIRECTORIES \
	AlertLogDestination:ALERT_LOG_DESTINATION \
	AlertLogRetentionDays:ALERT_LOG_RETENTION_DAYS \
	FlowLogDestination:FLOW_LOG_DESTINATION \
	FlowLogRetentionDays:FLOW_LOG_RETENTION_DAYS \
	FunctionLogRetentionDays:FUNCTION_LOG_RETENTION_DAYS \
	$(PARAMETERS_of_both)
PARAMETERS_automation := \
	ProjectName:PROJECT_NAME \
	FirewallArn:FIREWALL_ARN \
	GrantRuleGroupArns:GRANT_RULE_GROUP_ARNS \
	AlertLogGroupName:ALERT_LOG_GROUP_NAME \
	LogBucketName:LOG_BUCKET_NAME \
	LogKeyPrefix:LOG_KEY_PREFIX \
	VPCId:VPC_ID \
	FirewallPlacement:FIREWALL_PLACEMENT \
	LogRetentionDays:FUNCTION_LOG_RETENTION_DAYS \
	$(PARAMETERS_of_both)

# The configuration that is packed with the functions.
CONFIG ?= infra/config/egress.toml
# The policies that are packed with the function that decides.
POLICY ?= infra/config/policy.cedar

# release: what is deployed to AWS, for ARCHITECTURE (arm64 or x86_64), built by cargo-lambda.
# dev: the tests' build, for this machine.
PROFILE ?= release
ifeq ($(PROFILE),dev)
ARCHITECTURE := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
endif
ARCHITECTURE ?= arm64
ifeq ($(filter arm64 x86_64,$(ARCHITECTURE)),)
$(error ARCHITECTURE is arm64 or x86_64, not '$(ARCHITECTURE)')
endif

# Of the simulation: how many seeds, from which on; or one alone, with its trace.
SEEDS ?= 10000
FROM ?= 0
SEED ?=

# Of redrive: anything, to be told only what lies in the dead-letter queues.
DRY_RUN ?=

# Of what strangers send: how many random cases of each kind.
CASES ?= 50000

# A file for the stack's outputs as JSON, or nothing.
OUTPUTS_JSON ?=

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR
ifeq ($(PROFILE),dev)
BINARIES := $(CARGO_TARGET_DIR)/debug/{name}
BUILDER := cargo
BUILD := cargo build --bins
else
BINARIES := $(CARGO_TARGET_DIR)/lambda/{name}/bootstrap
BUILDER := cargo-lambda
BUILD := cargo lambda build --release --$(subst _,-,$(ARCHITECTURE))
endif

FUNCTIONS := provision intake requests alerts notify
# The packaged root template. Two deployments at once need a file each.
PACKAGED ?= target/package/packaged.yaml
# Expanded where it is used: the environment is made by the first target that needs it.
VENV = $$(tests/setup/venv.sh)
STACK = "$$venv/bin/python" infra/stack.py
variable = $(lastword $(subst :, ,$(1)))
parameter = $(if $(filter undefined,$(origin $(variable))),,--parameter '$(firstword $(subst :, ,$(1)))=$($(variable))')

.DEFAULT_GOAL := package
.PHONY: help package deploy delete outputs redrive check build lint test simulate fuzz bench demo cargo cargo-lambda
.NOTPARALLEL:

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- to AWS, and back

deploy: package ## creates or updates the stack CFN_ARTEFACT_S3_BUCKET=…, beside a firewall with TEMPLATE=automation
	@venv=$(VENV) && $(STACK) deploy --stack-name '$(APP_STACK_NAME)' --template $(PACKAGED) \
		--configuration '$(PACKAGED).configuration' --bucket '$(CFN_ARTEFACT_S3_BUCKET)' \
		$(foreach entry,$(PARAMETERS),$(call parameter,$(entry))) \
		--parameter 'Architecture=$(ARCHITECTURE)' \
		--tag 'application=studio-egress' --tag 'studio-egress=$(TEMPLATE)' --tag 'stack=$(APP_STACK_NAME)' \
		$(if $(OUTPUTS_JSON),--json '$(OUTPUTS_JSON)')

delete: ## deletes the stack, and with EMPTY_BUCKETS=true what is in its buckets
	@venv=$(VENV) && $(STACK) delete --stack-name '$(APP_STACK_NAME)' --empty-buckets '$(EMPTY_BUCKETS)' \
		--leave-grants '$(LEAVE_GRANTS)'

outputs: ## prints the stack's outputs
	@venv=$(VENV) && $(STACK) outputs --stack-name '$(APP_STACK_NAME)' $(if $(OUTPUTS_JSON),--json '$(OUTPUTS_JSON)')

redrive: ## sends what lies in the stack's dead-letter queues again, DRY_RUN=1 only counts it
	@venv=$(VENV) && "$$venv/bin/python" infra/redrive.py --stack-name '$(APP_STACK_NAME)' $(if $(DRY_RUN),--dry-run)

package: $(BUILDER) check build ## builds the functions, and uploads them and the templates CFN_ARTEFACT_S3_BUCKET=…
	@venv=$(VENV) && python3 infra/package.py --binaries '$(BINARIES)' --config '$(CONFIG)' --policy '$(POLICY)' \
		--keep '$(PACKAGED).configuration' $(FUNCTIONS) -- "$$venv/bin/aws" cloudformation package --template-file 'infra/$(TEMPLATE).yaml' \
		--s3-bucket '$(CFN_ARTEFACT_S3_BUCKET)' --s3-prefix '$(APP_STACK_NAME)' --output-template-file $(PACKAGED)

check:
	@venv=$(VENV) && $(STACK) check --stack-name '$(APP_STACK_NAME)' --kind '$(TEMPLATE)' \
		--bucket '$(CFN_ARTEFACT_S3_BUCKET)' --config '$(CONFIG)' --policy '$(POLICY)'

# --- the functions

build: $(BUILDER) ## builds the functions, PROFILE=release (for AWS) or dev (for this machine)
	@$(BUILD) --locked $(addprefix --package ,$(FUNCTIONS))

cargo-lambda: cargo
	@command -v cargo-lambda >/dev/null || { \
		echo "make: cargo-lambda is needed to build for AWS. Run: pipx install cargo-lambda (or pip in a virtual environment)" >&2; exit 1; }

cargo:
	@command -v cargo >/dev/null || { \
		echo "make: cargo is needed. Install Rust with rustup (https://rustup.rs); a distribution's own is often too old." >&2; \
		exit 1; }

# --- tests

test: cargo ## sets up, builds, and runs the lints and all tests
	@tests/setup/packages.sh browser
	@tests/setup/venv.sh >/dev/null
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory build PROFILE=dev
	@if command -v cargo-nextest >/dev/null; then cargo nextest run --locked --workspace; \
		else cargo test --locked --workspace; fi

lint: cargo ## formatting, clippy, templates and their permissions, licences and sources of the dependencies
	@cargo fmt --check
	@cargo clippy --locked --workspace --all-targets -- --deny warnings
	@venv=$(VENV) && "$$venv/bin/cfn-lint"
	@venv=$(VENV) && checks=$$(tests/setup/venv.sh tests/checks/requirements.txt) && \
		PYTHONPATH=tests "$$venv/bin/python" -m checks.templates "$$checks/bin/checkov"
	@if command -v cargo-deny >/dev/null; then cargo deny --log-level error check bans licenses sources; \
		else echo "lint: cargo-deny is not installed, so deny.toml is not checked here (cargo install cargo-deny)"; fi

simulate: cargo ## runs the function that decides through random histories SEEDS=… FROM=…, or replays one SEED=…
	@cargo run --quiet --locked --profile bench --package tests --bin simulate -- \
		$(if $(SEED),--seed '$(SEED)',--seeds '$(SEEDS)' --from '$(FROM)')

fuzz: cargo ## what strangers send and the firewall logs, as random texts and bodies: CASES=… of each, where `make test` takes 256
	@PROPTEST_CASES='$(CASES)' cargo test --quiet --locked --package alerts --package egress --package intake --package notify fuzz_

bench: cargo ## measures what has a budget
	@tests/setup/packages.sh
	@tests/setup/venv.sh >/dev/null
	@cargo build --locked --profile bench --package alerts --package requests --package intake --package provision
	@cargo bench --locked --package tests --bench reconcile --bench requests --bench intake --bench provision --bench alerts --bench alerts_scale

demo: cargo ## replays the article's experiment on this machine
	@tests/setup/packages.sh
	@tests/setup/venv.sh >/dev/null
	@$(MAKE) --no-print-directory build PROFILE=dev
	@cargo build --locked --package tests --bins
	@"$(CARGO_TARGET_DIR)/debug/demo" $(if $(ENGINE),--engine $(ENGINE)) --output target/demo
