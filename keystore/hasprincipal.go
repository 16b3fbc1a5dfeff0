package keystore

// HasPrincipal says whether there is a principal with this ARN, of the configuration or of
// PutPrincipal. It answers at once, so that a front end can ask for each request of somebody
// who proved who it is some time ago.
func (r *Regions) HasPrincipal(arn string) bool {
	return r.directory.accessKeys.Load().principals[arn]
}
