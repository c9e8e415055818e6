package history

// graph holds dependencies. The first nodes are the transactions; those behind them are steps, which stand for no
// transaction and only keep the number of edges linear.
type graph struct {
	txns  int // how many nodes are transactions
	edges [][]edge
}

type edge struct {
	to   int32
	kind EdgeKind
	key  int32 // index into the observer's keys; -1: none
}

func newGraph(txns int) *graph { return &graph{txns: txns, edges: make([][]edge, txns)} }

// step adds a node that is no transaction.
func (g *graph) step() int32 {
	g.edges = append(g.edges, nil)
	return int32(len(g.edges) - 1)
}

// add adds an edge, unless it leads back to where it comes from.
func (g *graph) add(from, to int32, kind EdgeKind, key int) {
	if from != to {
		g.edges[from] = append(g.edges[from], edge{to, kind, int32(key)})
	}
}

func (g *graph) isTxn(node int32) bool { return int(node) < g.txns }

// components returns the strongly connected components of more than one node that the edges of some kinds make, by
// Tarjan's algorithm, with a stack of its own. An edge out of a component leads to one that was returned before it,
// or to none.
func (g *graph) components(kinds EdgeKind) [][]int32 {
	t := &tarjan{g: g, kinds: kinds, index: make([]int32, len(g.edges)), low: make([]int32, len(g.edges)), open: make([]bool, len(g.edges))}
	for node := range g.edges {
		if t.index[node] == 0 {
			t.visit(int32(node))
		}
	}
	return t.found
}

type tarjan struct {
	g          *graph
	kinds      EdgeKind
	index, low []int32 // from 1 on; 0: not visited
	open       []bool  // on the stack
	stack      []int32
	next       int32
	found      [][]int32
}

// frame is where a visit stands: the node, and which of its edges is next.
type frame struct {
	node int32
	edge int
}

func (t *tarjan) enter(node int32) frame {
	t.next++
	t.index[node], t.low[node], t.open[node] = t.next, t.next, true
	t.stack = append(t.stack, node)
	return frame{node: node}
}

func (t *tarjan) visit(root int32) {
	path := []frame{t.enter(root)}
	for len(path) > 0 {
		f := &path[len(path)-1]
		if to, ok := t.descend(f); ok {
			path = append(path, t.enter(to))
			continue
		}
		node := f.node
		path = path[:len(path)-1]
		if len(path) > 0 {
			parent := path[len(path)-1].node
			t.low[parent] = min(t.low[parent], t.low[node])
		}
		if t.low[node] == t.index[node] {
			t.close(node)
		}
	}
}

// descend goes on over a node's edges, up to one that leads to a node not visited yet.
func (t *tarjan) descend(f *frame) (int32, bool) {
	edges := t.g.edges[f.node]
	for f.edge < len(edges) {
		e := edges[f.edge]
		f.edge++
		if e.kind&t.kinds == 0 {
			continue
		}
		if t.index[e.to] == 0 {
			return e.to, true
		}
		if t.open[e.to] {
			t.low[f.node] = min(t.low[f.node], t.index[e.to])
		}
	}
	return 0, false
}

// close takes a component off the stack.
func (t *tarjan) close(root int32) {
	from := len(t.stack)
	for {
		from--
		t.open[t.stack[from]] = false
		if t.stack[from] == root {
			break
		}
	}
	if len(t.stack)-from > 1 {
		t.found = append(t.found, append([]int32(nil), t.stack[from:]...))
	}
	t.stack = t.stack[:from]
}

// hop is an edge with both its ends.
type hop struct {
	from int32
	edge edge
}

// path returns a way from one node to another over edges of some kinds that stays within a component, with as few
// transactions as possible; nil if there is none.
func (g *graph) path(within map[int32]bool, from, to int32, kinds EdgeKind) []hop {
	came := map[int32]hop{from: {from: -1}}
	near, far := []int32{from}, []int32(nil) // steps cost nothing, so that they come first
	for len(near) > 0 || len(far) > 0 {
		if len(near) == 0 {
			near, far = far, nil
		}
		node := near[len(near)-1]
		near = near[:len(near)-1]
		if node == to {
			return unwind(came, to)
		}
		for _, e := range g.edges[node] {
			if _, known := came[e.to]; known || e.kind&kinds == 0 || !within[e.to] {
				continue
			}
			came[e.to] = hop{node, e}
			if g.isTxn(e.to) {
				far = append(far, e.to)
			} else {
				near = append(near, e.to)
			}
		}
	}
	return nil
}

func unwind(came map[int32]hop, to int32) []hop {
	var back []hop
	for h := came[to]; h.from >= 0; h = came[h.from] {
		back = append(back, h)
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

// reaches returns one of the edges whose end has a way back to its beginning over edges of some kinds, which must
// make no cycle within the component; false if there is none. It looks for 64 at a time, each a bit that is handed
// on along the edges.
func (g *graph) reaches(component []int32, kinds EdgeKind, wanted []hop) (hop, bool) {
	order := g.topological(component, kinds)
	place := make(map[int32]int, len(order))
	for i, node := range order {
		place[node] = i
	}
	bits := make([]uint64, len(order))
	for len(wanted) > 0 {
		batch := wanted[:min(64, len(wanted))]
		wanted = wanted[len(batch):]
		clear(bits)
		for i, h := range batch {
			bits[place[h.edge.to]] |= 1 << i
		}
		for i, node := range order {
			if bits[i] == 0 {
				continue
			}
			for _, e := range g.edges[node] {
				if at, in := place[e.to]; in && e.kind&kinds != 0 {
					bits[at] |= bits[i]
				}
			}
		}
		for i, h := range batch {
			if bits[place[h.from]]&(1<<i) != 0 {
				return h, true
			}
		}
	}
	return hop{}, false
}

// topological returns a component's nodes so that edges of some kinds lead forward.
func (g *graph) topological(component []int32, kinds EdgeKind) []int32 {
	before := make(map[int32]int, len(component)) // edges that lead to a node of the component from others of it
	for _, node := range component {
		before[node] = 0
	}
	for _, node := range component {
		for _, e := range g.edges[node] {
			if _, in := before[e.to]; in && e.kind&kinds != 0 {
				before[e.to]++
			}
		}
	}
	var order []int32
	for _, node := range component {
		if before[node] == 0 {
			order = append(order, node)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, e := range g.edges[order[i]] {
			if _, in := before[e.to]; !in || e.kind&kinds == 0 {
				continue
			}
			if before[e.to]--; before[e.to] == 0 {
				order = append(order, e.to)
			}
		}
	}
	return order
}
