# Uses all that Net::POP3 has, and leaves each message in a file named by its number.
use strict;
use warnings;
use Net::POP3;

my ($host, $port, $user, $password, $verb) = @ARGV;
my $pop = Net::POP3->new($host, Port => $port, Timeout => 30) or die "connect: $@";
$pop->capa;    # popa3d is older than CAPA
my $count = $pop->login($user, $password);
defined $count or die 'login: ' . $pop->message;
$pop->list and $pop->uidl or die 'listings: ' . $pop->message;
for my $n (1 .. $count) {
    $pop->list($n);    # a size of 0 is none to it, but no failure
    $pop->ok and $pop->uidl($n) and $pop->top($n, 1) or die "look at $n: " . $pop->message;
    my $lines = $pop->get($n) or die "get $n: " . $pop->message;
    open my $file, '>:raw', "$n.eml" or die "$n.eml: $!";
    print {$file} @$lines;
    close $file or die "$n.eml: $!";
    $verb ne 'delete' or $pop->delete($n) or die "delete $n: " . $pop->message;
}
$pop->quit or die 'quit: ' . $pop->message;
