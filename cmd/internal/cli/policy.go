package cli

type policyCmd struct {
	Simulate policySimulateCmd `cmd:"" help:"Say whether a principal may do something, and why."`
}
