package My::Tools;
use strict;
use constant LIMIT => 5;

our $VERSION = '1.0';

=head1 NAME

My::Tools - tools

=cut

# Adds.
sub add {
    my ($x, $y) = @_;
    return $x + $y;
}
1;
