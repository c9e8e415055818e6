package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// etcd is three members in this process, with a client to each. A stream is a key, and the condition is its
// version.
type etcd struct {
	ended   closers
	clients []*clientv3.Client
}

// quotaBytes keeps etcd from refusing writes: each is a revision that stays.
const quotaBytes = 8 << 30

func startEtcd(ctx context.Context, dir string) (_ system, err error) {
	e := &etcd{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	peers, err := freeURLs("http", clusterSize)
	if err != nil {
		return nil, err
	}
	clients, err := freeURLs("http", clusterSize)
	if err != nil {
		return nil, err
	}
	var all []string
	for i := range peers {
		all = append(all, fmt.Sprintf("m%d=%s", i+1, peers[i].String()))
	}
	var members []*embed.Etcd
	for i := range peers {
		cfg := embed.NewConfig()
		cfg.Name = fmt.Sprintf("m%d", i+1)
		cfg.Dir = filepath.Join(dir, cfg.Name)
		cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = peers[i:i+1], peers[i:i+1]
		cfg.ListenClientUrls, cfg.AdvertiseClientUrls = clients[i:i+1], clients[i:i+1]
		cfg.InitialCluster = strings.Join(all, ",")
		cfg.QuotaBackendBytes = quotaBytes
		cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
		member, err := embed.StartEtcd(cfg)
		if err != nil {
			return nil, fmt.Errorf("start member %d: %w", i+1, err)
		}
		e.ended.add(func() error { member.Close(); return nil })
		members = append(members, member)
	}
	for i, member := range members {
		select {
		case <-member.Server.ReadyNotify():
		case <-ctx.Done():
			return nil, fmt.Errorf("member %d is not ready: %w", i+1, ctx.Err())
		}
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{clients[i].String()}, Logger: zap.NewNop()})
		if err != nil {
			return nil, err
		}
		e.ended.add(c.Close)
		e.clients = append(e.clients, c)
	}
	return e, nil
}

// freeURLs returns URLs on ports that were free just now.
func freeURLs(scheme string, n int) (urls []url.URL, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		urls = append(urls, url.URL{Scheme: scheme, Host: l.Addr().String()})
	}
	return urls, nil
}

func (e *etcd) append(ctx context.Context, worker int, stream string, version uint64, data []byte) error {
	reply, err := e.clients[worker%len(e.clients)].Txn(ctx).
		If(clientv3.Compare(clientv3.Version(stream), "=", int64(version))).
		Then(clientv3.OpPut(stream, string(data))).
		Else(clientv3.OpGet(stream, clientv3.WithKeysOnly())).Commit()
	if err != nil || reply.Succeeded {
		return err
	}
	conflict := &conflictError{told: true}
	if found := reply.Responses[0].GetResponseRange().Kvs; len(found) > 0 {
		conflict.have = uint64(found[0].Version)
	}
	return conflict
}

func (e *etcd) version(ctx context.Context, worker int, stream string) (uint64, error) {
	reply, err := e.clients[worker%len(e.clients)].Get(ctx, stream)
	if err != nil || len(reply.Kvs) == 0 {
		return 0, err
	}
	return uint64(reply.Kvs[0].Version), nil
}

func (e *etcd) close() error { return e.ended.close() }
