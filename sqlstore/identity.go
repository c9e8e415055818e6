package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// identity is who a database belongs to.
type identity struct {
	cluster, name string
	nodes         []string
	incarnation   uint64
}

// identify claims a new database, refuses one of somebody else, and counts this start.
func (s *Store) identify(ctx context.Context) error {
	mine := identity{cluster: s.cfg.Cluster, name: s.cfg.Node, nodes: slices.Sorted(slices.Values(s.cfg.Nodes))}
	nodes, err := json.Marshal(mine.nodes)
	if err != nil {
		return fmt.Errorf("sqlstore: encode the node list: %w", err)
	}
	err = s.engine.exec(ctx, `INSERT INTO node (one, cluster, name, nodes, incarnation) VALUES (1, $1, $2, $3, 0) ON CONFLICT DO NOTHING`,
		mine.cluster, mine.name, string(nodes))
	if err != nil {
		return fmt.Errorf("sqlstore: claim the database: %w", err)
	}
	found, err := s.readIdentity(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: read whose the database is: %w", err)
	}
	if found.cluster != mine.cluster || found.name != mine.name || !slices.Equal(found.nodes, mine.nodes) {
		return fmt.Errorf("%w: it is of node %q in cluster %q of %s; this is node %q in cluster %q of %s", ErrForeign,
			found.name, found.cluster, strings.Join(found.nodes, ","), mine.name, mine.cluster, strings.Join(mine.nodes, ","))
	}
	s.incarnation = found.incarnation + 1
	if err := s.engine.exec(ctx, `UPDATE node SET incarnation = $1`, int64(s.incarnation)); err != nil {
		return fmt.Errorf("sqlstore: count the incarnation: %w", err)
	}
	return nil
}

func (s *Store) readIdentity(ctx context.Context) (found identity, err error) {
	result, err := s.engine.query(ctx, `SELECT cluster, name, nodes, incarnation FROM node`)
	if err != nil {
		return found, err
	}
	defer result.Close()
	for result.Next() {
		var nodes []byte
		if err := result.Scan(&found.cluster, &found.name, &nodes, &found.incarnation); err != nil {
			return found, err
		}
		if err := json.Unmarshal(nodes, &found.nodes); err != nil {
			return found, err
		}
	}
	return found, result.Err()
}
