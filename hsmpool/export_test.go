package hsmpool

// Secret is the pool's own copy of PINSource.Secret.
func (p *Pool) Secret() []byte { return p.cfg.PIN.Secret }
