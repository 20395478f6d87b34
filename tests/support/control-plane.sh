#!/usr/bin/env bash
# Runs a control plane in the folder $1 until its own stdin ends, which is when the test process ends, however it ends.
# Everything is stopped by pid, the API server before etcd. Wants: ETCD APISERVER KCM BINDER KWOK (programs), PORT ETCD_PORT PEER_PORT KUBELET_PORT.
set -u
cd "$1" || exit 1
client=http://127.0.0.1:$ETCD_PORT peer=http://127.0.0.1:$PEER_PORT

start() { # name, program and arguments
  local name=$1
  shift
  "$@" </dev/null >"$name.log" 2>&1 &
  echo $! >"$name.pid"
}

stop() { # name: asks, then insists
  [ -e "$1.pid" ] || return 0
  local pid i
  pid=$(cat "$1.pid")
  kill "$pid" 2>/dev/null
  for ((i = 0; i < 50; i++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null
}

start etcd "$ETCD" --data-dir "$PWD/etcd" --listen-client-urls "$client" --advertise-client-urls "$client" \
  --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" --unsafe-no-fsync --log-level warn
apiserver() {
  start apiserver "$APISERVER" --etcd-servers "$client" --cert-dir "$PWD/certs" --secure-port "$PORT" --bind-address 127.0.0.1 \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file sa.key --service-account-signing-key-file sa.key \
    --service-cluster-ip-range 10.0.0.0/16 --authorization-mode RBAC --token-auth-file tokens.csv --disable-admission-plugins ServiceAccount \
    --allow-privileged=true --enable-priority-and-fairness=false --kubelet-preferred-address-types InternalIP
}
apiserver

# The rest needs the API server; the test process makes the file `ready` when that answers.
clients() {
  start kcm "$KCM" --kubeconfig kubeconfig --service-account-private-key-file sa.key --root-ca-file certs/apiserver.crt \
    --leader-elect=false --secure-port 0 --kube-api-qps 300 --kube-api-burst 600 \
    --controllers deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,cronjob-controller \
    --controllers namespace-controller,garbage-collector-controller,resourcequota-controller,disruption-controller,endpointslice-controller \
    --controllers serviceaccount-controller,persistentvolume-binder-controller,ttl-after-finished-controller
  start binder "$BINDER" kubeconfig kwok-0
  start kwok "$KWOK" --kubeconfig kubeconfig --manage-all-nodes --node-lease-duration-seconds 40 --config stages.yaml \
    --server-address "127.0.0.1:$KUBELET_PORT" --node-ip 127.0.0.1 --node-port "$KUBELET_PORT" \
    --tls-cert-file certs/apiserver.crt --tls-private-key-file certs/apiserver.key
}

while :; do
  read -r -t 0.1 _
  code=$?
  # 0: a line; above 128: nothing yet; otherwise the other end is gone.
  [ $code -eq 0 ] || [ $code -gt 128 ] || break
  if [ -e ready ]; then
    clients
    # Until the end there is one thing to do: a test that has killed the API server asks for another on the same etcd.
    # Its port is free when the old one is gone altogether.
    while read -r word; do
      [ "$word" = apiserver ] || continue
      wait "$(cat apiserver.pid)"
      apiserver
    done
    break
  fi
done
for part in kwok binder kcm apiserver etcd; do stop $part; done
cd / || exit 1
[ -n "${PINTLE_KEEP_CLUSTER:-}" ] || rm -rf "$1"
