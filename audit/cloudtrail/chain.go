package cloudtrail

// links follows a Region's chain from its newest digest to the first, and says which
// digests it does not lead to. Where it is broken it goes on with the next older one.
func (c *checker) links(l *line) {
	for i := len(l.files) - 1; i >= 0; {
		f := l.files[i]
		if f.digest == nil { // a problem already
			i--
			continue
		}
		i = c.link(l, i)
	}
}

// link checks what a good digest says of the one before it, and returns where to go
// on.
func (c *checker) link(l *line, i int) int {
	d := l.files[i].digest
	if d.Previous == nil {
		if i > 0 {
			c.problem(d.Object, d.Journal.First, "the digest begins a new chain, but there are older ones, the newest of them %s", l.files[i-1].name)
		}
		return i - 1
	}
	before := l.find(d.Previous.Object, i)
	if before < 0 {
		c.missing(l, i)
		return i - 1
	}
	for _, f := range l.files[before+1 : i] {
		if f.digest != nil {
			c.problem(f.name, f.digest.Journal.First, "no later digest leads to this one: it was replayed, or others were removed")
		}
	}
	c.pair(l.files[before], l.files[i])
	return before
}

// find returns the index below i of the digest with a name, or -1.
func (l *line) find(name string, i int) int {
	for i--; i >= 0; i-- {
		if l.files[i].name == name {
			return i
		}
	}
	return -1
}

// missing notes that the digest before l.files[i] is not there, unless it was
// allowed to be removed.
func (c *checker) missing(l *line, i int) {
	d := l.files[i].digest
	if o, ok := ParseObject(d.Previous.Object); ok && o.Time.Before(c.opts.Since) {
		return
	}
	first := uint64(1)
	for _, f := range l.files[:i] {
		if f.digest != nil {
			first = f.digest.Journal.Last + 1
		}
	}
	c.problem(d.Previous.Object, first, "the digest is missing, or is not older than the one that leads to it, %s", d.Object)
}

// pair compares a digest with what the next one says of it.
func (c *checker) pair(before, after *file) {
	p := after.digest.Previous
	first := after.digest.Journal.First
	if before.digest != nil {
		first = before.digest.Journal.First
	}
	switch {
	case before.hash != "" && before.hash != p.HashValue:
		c.problem(before.name, first, "the digest is another than the next one followed, %s: its hash is %s, not %s", after.name, before.hash, p.HashValue)
	case before.signature != "" && before.signature != p.Signature:
		c.problem(before.name, first, "the digest's signature is another than the next digest says, %s", after.name)
	case before.digest != nil:
		c.continues(before.digest, after.digest)
	}
}

// continues wants no record of a journal between two digests, nor any twice. Another
// journal begins where it begins.
func (c *checker) continues(before, after *Digest) {
	last, first := before.Journal.Last, after.Journal.First
	switch {
	case !after.Start.Equal(before.End):
		c.problem(after.Object, first, "the digest starts at %v, but the one before it ended at %v", after.Start, before.End)
	case before.Journal.JournalID != after.Journal.JournalID:
	case first > last+1:
		c.problem(after.Object, last+1, "no digest stands for the records %d to %d", last+1, first-1)
	case first <= last:
		c.problem(after.Object, first, "the digest stands for the records %d to %d again", first, last)
	case after.Journal.Last == last && after.Journal.LastHash != before.Journal.LastHash:
		c.problem(after.Object, last, "two digests have different hashes of record %d", last)
	}
}

// checkPins compares the chains with what is known from elsewhere.
func (c *checker) checkPins() {
	if len(c.lines) == 0 {
		c.problem(".", 1, "there is no digest")
		return
	}
	for _, pin := range c.opts.Pins {
		found := false
		for i := range c.report.Chains {
			chain := &c.report.Chains[i]
			if pin.Region == "" || pin.Region == chain.Region {
				found = true
				c.checkPin(chain, pin)
			}
		}
		if !found {
			c.problem(".", 1, "there is no digest of Region %s", pin.Region)
		}
	}
}

func (c *checker) checkPin(chain *Chain, pin Pin) {
	newest := chain.Newest()
	switch {
	case newest == nil:
		c.problem(".", 1, "no digest of Region %s is good, but one was pinned for record %d", chain.Region, pin.Sequence)
		return
	case newest.Journal.Last < pin.Sequence:
		c.problem(newest.Object, newest.Journal.Last+1, "the newest digest stands for the records up to %d, but one was pinned for record %d: "+
			"the tree was rolled back, or newer digests were removed", newest.Journal.Last, pin.Sequence)
		return
	}
	for _, d := range chain.Digests {
		if d.Journal.Last == pin.Sequence {
			if d.Journal.LastHash != pin.Hash.String() {
				c.problem(d.Object, d.Journal.First, "the hash of record %d is %s, but %v was pinned", pin.Sequence, d.Journal.LastHash, pin.Hash)
			}
			return
		}
	}
	if oldest := chain.Digests[0]; oldest.Journal.First <= pin.Sequence || pin.Region != "" {
		c.problem(newest.Object, oldest.Journal.First, "no digest ends with record %d, but one was pinned", pin.Sequence)
	}
}
