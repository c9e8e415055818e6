package accord

import "math/bits"

// nodeSet is a set of nodes, by their rank. At most 63 nodes.
type nodeSet uint64

func (s nodeSet) has(rank int) bool { return s>>rank&1 == 1 }
func (s *nodeSet) add(rank int)     { *s |= 1 << rank }
func (s nodeSet) len() int          { return bits.OnesCount64(uint64(s)) }
