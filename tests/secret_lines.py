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
mysql8.0.bin -pHIDDEN
mysql -NBpHIDDEN shop
curl -su ada:HIDDEN https://host/
curl -sku ada:HIDDEN https://host/
curl -fsSLu ada:HIDDEN https://host/
curl -k -suada:HIDDEN https://host/
app --PassWord=HIDDEN
app --passPhrase HIDDEN
app --bindpw=HIDDEN
app --mypass=HIDDEN
app --adminpass=HIDDEN
bitcoind -rpcpass=HIDDEN
nmap --script-args mysqluser=u,mysqlpass=HIDDEN,smbpass=HIDDEN
keytool -importkeystore -srcstorepass HIDDEN -deststorepass HIDDEN
sh -c 'SSHPASS=HIDDEN sshpass -e ssh h'
app --pgpass HIDDEN
murmurd -supw HIDDEN
pdftotext -upw HIDDEN -opw HIDDEN a
python -c "os.environ['DB_PASSWORD']='HIDDEN'"
python -c 'os.environ["TOKEN"] = r"HIDDEN"'
app --hmac-key=HIDDEN --aes-key HIDDEN --cipher-key HIDDEN
app --root-key HIDDEN --session-key=HIDDEN --server-key=HIDDEN
app --client-key=HIDDEN --app-key=HIDDEN --write-key=HIDDEN --deploy-key HIDDEN
subscription-manager register --activationkey=HIDDEN
landscape-config --registration-key HIDDEN
curl -H 'Ocp-Apim-Subscription-Key: HIDDEN'
curl -H 'X-Insert-Key: HIDDEN'
java -Dlicense.key=HIDDEN
java -Dpasswort=HIDDEN
pgbackrest --repo1-s3-key=HIDDEN --repo1-azure-key=HIDDEN
app --user=u:HIDDEN
app --login=u:HIDDEN
app --cred=u:HIDDEN
monero-wallet-rpc --rpc-login u:HIDDEN
bitcoind -rpcauth=u:HIDDEN
traefik --api.basicauth=u:HIDDEN
sqlmap --auth-cred=u:HIDDEN
turnserver --user=u:HIDDEN
mysqld_exporter --mysqld.username=u:HIDDEN
curlftpfs -o user=u:HIDDEN h /m
mount -t cifs //h/s /m -ouser=bob%HIDDEN
curl https://host/api?key=HIDDEN&x=1
sqlcmd -Q "CREATE LOGIN x WITH PASSWORD = N'HIDDEN'"
mysql -e "SET PASSWORD FOR 'root'@'h' = 'HIDDEN'"
mysql -e "SET PASSWORD FOR 'root'@'h' = PASSWORD('HIDDEN')"
sqlplus -s x 'CREATE USER u IDENTIFIED BY HIDDEN'
sqlplus -s x "ALTER USER u IDENTIFIED BY VALUES 'HIDDEN'"
psql -c "SELECT pgp_sym_encrypt(x, 'HIDDEN')"
psql -c "SELECT crypt('HIDDEN', gen_salt('bf'))"
mongosh --eval "db.auth('admin','HIDDEN')"
mongosh --eval "db.changeUserPassword('u', 'HIDDEN')"
db2 'CONNECT TO shop USER ada USING HIDDEN'
sh -c "echo 'machine h login u password HIDDEN' > .netrc"
sh -c 'echo "requirepass HIDDEN" >> redis.conf'
sh -c "redis-cli <<< 'AUTH HIDDEN'"
sh -c "echo 'AUTH HIDDEN' | nc h 6379"
sh -c 'echo quote PASS HIDDEN | ftp h'
debconf-set-selections 'mysql-server mysql-server/root_password password HIDDEN'
docker run -e 'REDIS_ARGS=--requirepass HIDDEN' redis
pwsh -Command "ConvertTo-SecureString 'HIDDEN' -AsPlainText"
app password: HIDDEN
srcds_linux +rcon_password HIDDEN
sh -c "printf '%s\\n' 'HIDDEN' | sudo -S id"
sh -c '(echo HIDDEN; echo HIDDEN) | smbpasswd -s -a bob'
sh -c "echo -e 'HIDDEN\\nHIDDEN' | passwd bob"
sqlplus -s 'sys/HIDDEN as sysdba'
sqlplus -s 'sys/HIDDEN@//h:1521/S as sysdba'
rman target=sys/HIDDEN@o
dgmgrl sys/HIDDEN@o
mycli -u root -p HIDDEN
innotop -u root -p HIDDEN
hdbsql -i 00 -u SYSTEM -pHIDDEN
snowsql -a acct -u me -p HIDDEN
isql-fb -u SYSDBA -p HIDDEN
ibmcloud login -u u -p HIDDEN
cf login -u u -p HIDDEN
crane auth login reg -u u -p HIDDEN
oras login -u u -p HIDDEN reg
twine upload -u u -p HIDDEN d
dotnet nuget add source u -u x -p HIDDEN
openfortivpn h -u u -p HIDDEN
fence_ilo4 -a h -l u -pHIDDEN
racadm -r h -u root -p HIDDEN x
pcs host auth n1 -u hacluster -p HIDDEN
ipmi-power -h h -u a -p HIDDEN
mcrcon -H h -pHIDDEN
veracrypt --text -p HIDDEN x
doveadm pw -p HIDDEN
check_mysql -H h -u u -p HIDDEN
hydra -l u -p HIDDEN ssh://h
xmrig -o pool:3333 -p HIDDEN
ipa-server-install -p HIDDEN -a HIDDEN
xfreerdp /v:h /gp:HIDDEN /p HIDDEN
knife bootstrap h -P HIDDEN
p4 -PHIDDEN sync
ssh-keygen -p -P HIDDEN -N HIDDEN -f k
vsql -U dbadmin -wHIDDEN
kadmin -p admin/admin -w HIDDEN
squidclient -W HIDDEN -w HIDDEN
redis-cli -h x -aHIDDEN
memtier_benchmark -s h -a HIDDEN
redis-cli ACL SETUSER bob on >HIDDEN allkeys
redis-cli MIGRATE h 6379 k 0 5000 AUTH2 u HIDDEN
snmpwalk -v2c -cHIDDEN h
snmpget -v3 -u u -AHIDDEN -XHIDDEN h
snmpbulkget -v2c -c HIDDEN h
check_snmp -C HIDDEN
slappasswd -s HIDDEN
gbak -b -user SYSDBA -pas HIDDEN db.fdb
rar a -hpHIDDEN a.rar
ss-server -kHIDDEN
ccrypt -K HIDDEN
openssl dgst -hmac HIDDEN f
openssl dgst -sha256 -mac HMAC -macopt key:HIDDEN
openssl passwd -6 HIDDEN
mkpasswd -m sha-512 HIDDEN
htpasswd -bnBC 10 u HIDDEN
htpasswd -b -c /x bob HIDDEN
mosquitto_passwd -b /etc/pw bob HIDDEN
gitlab-runner register -r HIDDEN -u https://h
config.sh --unattended --pat HIDDEN
codecov -t HIDDEN
transmission-daemon -u u -v HIDDEN
qpdf --encrypt HIDDEN HIDDEN 256 -- a b
pdftk a.pdf input_pw HIDDEN output b.pdf
iscsiadm --name=node.session.auth.password --value=HIDDEN
openconnect -C HIDDEN h
isql -v mydsn user HIDDEN
swift -A https://h/auth -U a:u -K HIDDEN list
newrelic-infra -license HIDDEN
vault operator unseal HIDDEN
vault token lookup HIDDEN
vault write secret/x foo=HIDDEN
cargo login HIDDEN
wandb login --relogin HIDDEN
snyk auth HIDDEN
pro attach HIDDEN
b2 authorize-account id HIDDEN
cf auth u HIDDEN
redis-sentinel --sentinel auth-pass mymaster HIDDEN
hdbuserstore SET KEY h:30015 SYSTEM HIDDEN
poetry publish -u u -p HIDDEN
rclone obscure HIDDEN
ansible-vault encrypt_string HIDDEN --name x
caddy hash-password --plaintext HIDDEN
keytool -storepasswd -new HIDDEN
samba-tool user create bob HIDDEN
ipmitool user set password 2 HIDDEN
wpa_cli -i wlan0 set_network 0 psk HIDDEN
mc admin user add x newuser HIDDEN
mc config host add x http://h AK HIDDEN
zkCli.sh addauth digest u:HIDDEN
bitcoin-cli walletpassphrase HIDDEN 60
nmcli con mod x wifi-sec.psk HIDDEN
aws ssm put-parameter --name x --type SecureString --value HIDDEN
az keyvault secret set --vault-name v --name n --value HIDDEN
turnserver -u u:HIDDEN
ctr images pull --user u:HIDDEN img
check_http -H h -a u:HIDDEN
hey -a u:HIDDEN http://h
wbinfo -a bob%HIDDEN
app '<add key="Password" value="HIDDEN"/>'
aws cloudformation create-stack --parameters ParameterKey=DBPassword,ParameterValue=HIDDEN
gost -L=admin:HIDDEN@:8080
psexec.py dom/u:HIDDEN@h
curl https://hooks.zapier.com/hooks/catch/1/HIDDEN
curl https://outlook.office.com/webhook/HIDDEN/IncomingWebhook/x
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
java -Xmx372684472520502034440008029918305240817pt17g
app --bypass x --compass=y --multi-pass 2 --askpass /bin/ask
app --server-key=/etc/ssl/server.key --client-key client.pem --ssl-key=k.pem
app --sort-key=a --primary-key id --partition-key=user --cache-key=x --public-key=/x --key-size=16
docker run --user=app:staff -u root:root img
app --user=1000:1000 --user=www:www --login=db:5432
""".strip().splitlines()
