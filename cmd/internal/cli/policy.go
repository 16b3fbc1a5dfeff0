package cli

type policyCmd struct {
	Put      policyPutCmd      `cmd:"" help:"Make an identity policy, or replace it."`
	List     policyListCmd     `cmd:"" help:"List the identity policies."`
	Get      policyGetCmd      `cmd:"" help:"Print an identity policy."`
	Delete   policyDeleteCmd   `cmd:"" help:"Delete an identity policy that no principal has."`
	Simulate policySimulateCmd `cmd:"" help:"Say whether a principal may do something, and why."`
}
