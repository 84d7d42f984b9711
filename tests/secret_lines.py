"""More command lines for `tests.secrets`, as a shell would be given them; HIDDEN is where the secret is."""

from __future__ import annotations

SHAPES = r"""
sh -c 'mysql "-pHIDDEN" db'
sh -c "'/usr/bin/mysql' '-pHIDDEN'"
sh -c '"mysql" -pHIDDEN'
sh -c 'sleep 1;mysql -pHIDDEN'
sh -c 'a&&mysql -pHIDDEN'
sh -c 'echo x|mysql -pHIDDEN'
sh -c '(mysql -pHIDDEN)'
sh -c '$(mysql -pHIDDEN)'
sh -c '`mysql -pHIDDEN`'
sh -c "M='mysql -pHIDDEN'; $M x"
sh -c 'mysql x 2>&1 -pHIDDEN'
sh -c 'mysql -e "use a; select 1" -pHIDDEN'
sh -c 'mysqldump a; curl -u ada:HIDDEN https://host/'
sudo curl -u ada:HIDDEN https://host/
docker exec -u root db mysql -pHIDDEN
kubectl exec db -- sh -c 'mysql -pHIDDEN'
app /password:HIDDEN
mysql5.7 -pHIDDEN
mysql-8.0 -pHIDDEN
/opt/mysql/bin/mysql.real -pHIDDEN
mysqldump.bin -pHIDDEN
""".strip().splitlines()

READABLE = r"""
java -cp /opt/x/lib/token-store-1.0.jar:/opt/x/lib/password-encoder.jar org.x.Main
docker run --name mysql -p3306:3306 mysql --large-pages
docker exec mysql app -prealloc -pagesize=1G
sudo -u mysql app --pages=2M -pg
sh -c 'mysql x; mkdir -p /dev/hugepages; app -pool=3'
sh -c '7z x a && mkdir -p/x && tar -pxf'
docker run --name login -p 8080:80 img
sh -c 'docker login x && docker run -p 8080:80 -v /dev/hugepages:/dev/hugepages x'
sh -c 'cd /opt/vault && ./server --workers=4 mem=8G login kv'
app --mem-channel=4:1@x --cpus=0-3:2@numa0 --map=1:2@3 --compression=zstd:3@fast
app cpu:10:20:30:40
app --cpu-mask=fffffffffffffffffffffffffffffffff0
taskset f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0 x
containerd-shim-runc-v2 -id 5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99 -address /run/c.sock
ldapsearch -x -s base -b dc=x
ldapsearch -x -s sub -b dc=x
python train.py --eos_token=</s> --bos-token <s>
etcd --initial-cluster-token=etcd-cluster-1
""".strip().splitlines()
