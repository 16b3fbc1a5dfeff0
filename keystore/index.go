package keystore

import "slices"

// index is a map that can be read in the order of its keys, a page at a time.
// It is not safe for concurrent use.
type index[K comparable, V any] struct {
	compare func(K, K) int
	values  map[K]V
	order   []K
}

func newIndex[K comparable, V any](compare func(K, K) int) index[K, V] {
	return index[K, V]{compare: compare, values: map[K]V{}}
}

func (x *index[K, V]) put(k K, v V) {
	if _, found := x.values[k]; !found {
		i, _ := slices.BinarySearchFunc(x.order, k, x.compare)
		x.order = slices.Insert(x.order, i, k)
	}
	x.values[k] = v
}

func (x *index[K, V]) remove(k K) {
	if _, found := x.values[k]; found {
		i, _ := slices.BinarySearchFunc(x.order, k, x.compare)
		x.order = slices.Delete(x.order, i, i+1)
		delete(x.values, k)
	}
}

// page returns up to limit values whose keys come after a given one, and
// whether there are more.
func (x *index[K, V]) page(after K, limit int) (values []V, more bool) {
	keys, more := pageOf(x.order, after, limit, x.compare)
	for _, k := range keys {
		values = append(values, x.values[k])
	}
	return values, more
}

// pageOf returns up to limit of the sorted keys that come after a given one,
// and whether there are more.
func pageOf[K any](keys []K, after K, limit int, compare func(K, K) int) (page []K, more bool) {
	i, found := slices.BinarySearchFunc(keys, after, compare)
	if found {
		i++
	}
	end := min(i+limit, len(keys))
	return keys[i:end], end < len(keys)
}
