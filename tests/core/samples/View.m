#import "View.h"

/// A view.
@interface View : NSObject
@property (nonatomic) NSString *title;
- (void)draw:(int)x with:(int)y;
@end

@implementation View
+ (id)make { return nil; }
- (void)draw:(int)x with:(int)y { }
@end

@protocol Drawable
- (void)redraw;
@end

static int helper(void) { return 1; }
