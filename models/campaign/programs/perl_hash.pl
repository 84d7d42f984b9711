# A hash of strings, looked up at random: perl perl_hash.pl THOUSANDS SECONDS
use strict;
use warnings;
use Time::HiRes qw(time);

my ($thousands, $seconds) = @ARGV;
my $count = $thousands * 1000;
my %table = map { ("key$_" => $_) } 0 .. $count - 1;
srand 1;
$| = 1;
print "ready\n";
my ($start, $operations, $sum, $elapsed) = (time, 0, 0, 0);
while ($elapsed < $seconds) {
    $sum += $table{ "key" . int rand $count } for 1 .. 10_000;
    $operations += 10_000;
    $elapsed = time() - $start;
}
printf "value %.6g\n", $elapsed * 1e9 / $operations;
