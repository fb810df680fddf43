module matrix
  implicit none
contains
  ! Adds two.
  subroutine add(a, b)
    integer :: a, b
  end subroutine add

  function twice(x) result(y)
    real :: x, y
    y = 2 * x
  end function twice
end module matrix

program main
end program main
