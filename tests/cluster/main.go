// The control plane that tests run on, as one program: which part it is, argv[0] says.
//
//	etcd, kube-apiserver, kube-controller-manager   the real ones, from their modules, with their own flags (etcd: those that tests use)
//	binder KUBECONFIG NODE                          puts every pod that has no node on NODE: all of a scheduler that tests need
package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	var err error
	switch filepath.Base(os.Args[0]) {
	case "etcd":
		err = etcd(os.Args[1:])
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(kcm.NewControllerManagerCommand()))
	case "binder":
		err = binder(os.Args[1], os.Args[2])
	default:
		err = fmt.Errorf("call it by a link named etcd, kube-apiserver, kube-controller-manager or binder")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func etcd(args []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := flags.String("data-dir", "", "")
	client := flags.String("listen-client-urls", "", "")
	_ = flags.String("advertise-client-urls", "", "")
	peer := flags.String("listen-peer-urls", "", "")
	_ = flags.String("initial-advertise-peer-urls", "", "")
	_ = flags.String("initial-cluster", "", "")
	noSync := flags.Bool("unsafe-no-fsync", false, "")
	level := flags.String("log-level", "warn", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clientURL, err := url.Parse(*client)
	if err != nil {
		return err
	}
	peerURL, err := url.Parse(*peer)
	if err != nil {
		return err
	}
	c := embed.NewConfig()
	c.Dir = *dir
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*clientURL}, []url.URL{*clientURL}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peerURL}, []url.URL{*peerURL}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.UnsafeNoFsync = *noSync
	c.LogLevel = *level
	e, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	<-e.Server.StopNotify()
	return nil
}

func binder(kubeconfig, node string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for ; ; time.Sleep(200 * time.Millisecond) {
		// The watch begins with what is there; when it ends, for whatever reason, the next one does too.
		watch, err := client.CoreV1().Pods("").Watch(context.Background(), metav1.ListOptions{FieldSelector: "spec.nodeName="})
		if err != nil {
			continue
		}
		for event := range watch.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
				continue
			}
			// Whoever fails here is gone, or bound by its author.
			_ = client.CoreV1().Pods(pod.Namespace).Bind(context.Background(), &corev1.Binding{
				ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
				Target:     corev1.ObjectReference{Kind: "Node", Name: node},
			}, metav1.CreateOptions{})
		}
	}
}
